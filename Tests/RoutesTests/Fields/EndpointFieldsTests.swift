import Foundation
import Support
import Testing

@testable import Engine
@testable import Routes
@testable import Shared
@testable import Upstream

/// Tests of fields that the endpoints refuse before any vendor is called.
///
/// Each row has the endpoint, the status, the code and the parameter of the error, and the fields that a request has
/// besides its usual ones. A text `@9` stands for nine letters.
@Suite struct EndpointFieldsTests {
    private static let picture =
        "iVBORw0KGgoAAAANSUhEUgAAABAAAAAJCAIAAAC0SDtlAAAAFElEQVR4nGPI2LeAJMQwqmFQaAAA5T7/YZ8f7sMAAAAASUVORK5CYII="
    private static let usual = [
        "chat/completions": #"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}"#,
        "messages": #"{"model":"gpt-4o-mini","max_tokens":50,"messages":[{"role":"user","content":"Hello"}]}"#,
        "completions": #"{"model":"gpt-4o-mini","prompt":"Once upon"}"#,
        "responses": #"{"model":"gpt-4o-mini","input":"Hello"}"#,
        "images/generations": #"{"prompt":"a cat"}"#,
        "images/edits": #"{"prompt":"a hat","images":[{"image_url":"data:image/png;base64,\#(picture)"}]}"#,
        "audio/speech": #"{"model":"tts-1","input":"Hello there","voice":"alloy"}"#,
    ]

    /// Writes out the long texts of a row.
    private static func fields(_ text: String) -> [String: Any] {
        guard let start = text.firstIndex(of: "@") else { return jsonMembers(text) }
        let digits = text[text.index(after: start)...].prefix { $0.isNumber }
        let long = String(repeating: "a", count: Int(digits) ?? 0)
        return jsonMembers(text[..<start] + long + text[digits.endIndex...])
    }

    @Test(
        "a field that is wrong is refused by its name",
        arguments: [refusedChats, refusedTexts, refusedMedia].flatMap { $0.split(separator: "\n").map(String.init) }
    )
    func refused(row: String) async {
        let parts = row.split(separator: " ", maxSplits: 4).map(String.init)
        await onLoop { loop in
            let transport = ScriptedProvider("v", on: loop)
            let settings = [
                ("PROVIDERS", "v"), ("PROVIDER_V_KIND", "onemin"), ("PROVIDER_V_API_KEYS", "k"),
                ("ANONYMOUS_MODELS", "all"),
            ]
            let host = RouterHost(settings, on: loop, catalogues: [.onemin: .oneMin]) { provider, tools in
                var site = VendorSite(name: "v", baseURL: provider.baseURL, headers: [], options: EndpointOptions())
                site.assetURL = provider.baseURL
                let vendor = OneMin(
                    site,
                    transport,
                    outside: transport,
                    shared: OneMin.SharedServices(),
                    quirks: QuirkMemory(),
                    tools: tools
                )
                guard let vendor else { preconditionFailure("no URL") }
                return vendor
            }
            defer { host.stop() }
            let body = jsonMembers(Self.usual[parts[0]] ?? "").merging(Self.fields(parts[4])) { $1 }
            let request = host.request(sortedJSON(body), to: "/v1/\(parts[0])")
            let writer = ResponseCollector()
            await host.router.handle(request, writer)?.run()
            request.body.requestEnds()
            let error = jsonMembers(writer.answered.body)["error"] as? [String: Any] ?? [:]
            let message = error["message"] as? String ?? ""
            // Anthropic's errors name the field in their text alone.
            let isNamed =
                parts[0] == "messages" ? message.contains("'\(parts[3])'") : error["param"] as? String == parts[3]
            let code = (parts[0] == "messages" ? error["type"] : error["code"]) as? String
            #expect(writer.answered.status == Int(parts[1]) && code == parts[2] && isNamed, "\(writer.answered)")
            #expect(error["type"] as? String == "invalid_request_error")
            #expect(transport.calls.isEmpty)
        }
    }
}

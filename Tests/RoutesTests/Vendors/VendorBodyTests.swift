import Foundation
import Support
import Testing

@testable import Engine
@testable import Routes
@testable import Shared
@testable import Upstream

/// Tests of the bodies that vendors get of requests to the chat endpoints.
///
/// Each row has two lines. The first one has the vendor, the endpoint, the vendor's model and the fields of a request.
/// The second one has the members in which the vendor's body differs from that of a plain request, or a refusal: its
/// status, code and parameter. There, null stands for a member that only the plain request has, `*` for any value, `=`
/// for the fields themselves, and `ignored` for what the response names as left out.
@Suite struct VendorBodyTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let vendor: String
        let endpoint: String
        let model: String
        let fields: String
        let told: String

        var testDescription: String { "\(vendor) \(endpoint) \(model) \(fields)" }

        static func rows(_ text: String) -> [Row] {
            let lines = text.split(separator: "\n").map(String.init)
            return stride(from: 0, to: lines.count - 1, by: 2).map { index in
                let parts = lines[index].split(separator: " ", maxSplits: 3).map(String.init)
                let told = lines[index + 1].drop { $0 == " " }
                return Row(
                    vendor: parts[0],
                    endpoint: parts[1],
                    model: parts[2],
                    fields: parts[3],
                    told: String(told)
                )
            }
        }
    }

    private static let plain = [
        "chat/completions": #"{"messages":[{"role":"user","content":"Hello"}]}"#,
        "messages": #"{"max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}"#,
        "responses": #"{"input":"Hello"}"#,
    ]

    private static func vendor(_ kind: String, _ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)? {
        let (quirks, memory) = (QuirkMemory(), MemoryBudget(bytes: 8 << 20))
        var site = VendorSite(name: "v", baseURL: "http://v.test/v1", headers: [], options: EndpointOptions())
        switch kind {
        case "anthropic":
            let reasoning = ToolCallMemory(.reasoningBlock, memory, state: nil)
            return Anthropic(site, transport, quirks: quirks, reasoning: reasoning, tools: tools)
        case "gemini":
            let signatures = ToolCallMemory(.signature, memory, state: nil)
            return Gemini(site, transport, quirks: quirks, signatures: signatures, tools: tools)
        case "cohere": return Cohere(site, transport, quirks: quirks, tools: tools)
        case "onemin":
            site.assetURL = "http://v.test"
            let shared = OneMin.SharedServices()
            return OneMin(site, transport, outside: transport, shared: shared, quirks: quirks, tools: tools)
        case "cloudflare": return Cloudflare(site, account: "1", transport, quirks: quirks, tools: tools)
        case "vertex":
            let cloud = CloudSettings(
                projectID: "p",
                clientID: "",
                clientSecret: "",
                locations: ["global"],
                tokenURL: ""
            )
            return Vertex(
                .google,
                VertexSite(site, cloud, locations: LocationCooldowns(count: 1), tokens: nil),
                transport: transport,
                quirks: quirks,
                signatures: ToolCallMemory(.signature, memory, state: nil),
                tools: tools
            )
        default:
            site.chatsBy = kind == "openai" ? .chat : .responses
            return OpenAILike(site, transport, quirks: quirks, reasoningBlocks: nil, tools: tools)
        }
    }

    private static func host(_ row: Row, _ transport: ScriptedProvider, on loop: EventLoop) -> RouterHost {
        let settings = [
            ("PROVIDERS", "v"), ("PROVIDER_V_KIND", "openai"), ("PROVIDER_V_BASE_URL", "http://v.test/v1"),
            ("PROVIDER_V_MODELS", "m=\(row.model)"), ("PROVIDER_V_API_KEYS", "k"), ("ANONYMOUS_MODELS", "all"),
        ]
        return RouterHost(settings, on: loop) { _, tools in
            guard let vendor = vendor(row.vendor, transport, tools) else { preconditionFailure("no URL") }
            return vendor
        }
    }

    /// Returns the members of the vendor's body; of a request that is refused, the members of the error.
    private static func told(
        _ row: Row,
        _ fields: [String: Any],
        _ host: RouterHost,
        _ transport: ScriptedProvider
    ) async -> (status: Int, members: [String: Any]) {
        transport.follow([.refuse(400, "No.")])
        let earlier = transport.calls.count
        var all = jsonMembers(plain[row.endpoint] ?? "").merging(["model": "m"]) { $1 }
        // Anthropic's API has no call without a bound.
        if row.vendor == "anthropic" { all[row.endpoint == "responses" ? "max_output_tokens" : "max_tokens"] = 100 }
        all.merge(fields) { $1 }
        let request = host.request(sortedJSON(all), to: "/v1/\(row.endpoint)")
        let writer = ResponseCollector()
        await host.router.handle(request, writer)?.run()
        request.body.requestEnds()
        if transport.calls.count > earlier {
            var told = jsonMembers(transport.calls[earlier].body)
            let lines = writer.answered.head.split(separator: "\r\n")
            let ignored = lines.first { $0.hasPrefix("X-Relay-Ignored: ") }
            told["ignored"] = ignored.map { String($0.dropFirst("X-Relay-Ignored: ".count)) }
            return (200, told)
        }
        return (writer.answered.status, jsonMembers(writer.answered.body)["error"] as? [String: Any] ?? [:])
    }

    @Test(
        "each vendor gets what a request means",
        arguments: [
            anthropicBodies, geminiBodies, vertexBodies, cohereBodies, cloudflareBodies, openAIBodies, responsesBodies,
            oneMinBodies,
        ].flatMap(Row.rows)
    )
    func bodies(row: Row) async {
        await onLoop { loop in
            let transport = ScriptedProvider("v", on: loop)
            let host = Self.host(row, transport, on: loop)
            defer { host.stop() }
            let plain = await Self.told(row, [:], host, transport).members
            var (status, told) = await Self.told(row, jsonMembers(row.fields), host, transport)
            guard status == 200 else {
                let code = told["code"] as? String ?? told["type"] as? String ?? "-"
                // Anthropic's errors name the field in their text alone.
                let words = (told["message"] as? String ?? "").split(separator: "'", omittingEmptySubsequences: false)
                let quoted = row.endpoint == "messages" ? words.dropFirst().first.map(String.init) : nil
                let param = told["param"] as? String ?? quoted ?? "-"
                return #expect("\(status) \(code) \(param)" == row.told, "\(told)")
            }
            for (name, value) in plain {
                guard let own = told[name] else {
                    told[name] = NSNull()
                    continue
                }
                if sortedJSON(own) == sortedJSON(value) { told[name] = nil }
            }
            let expected = jsonMembers(row.told == "=" ? row.fields : row.told)
            for (name, value) in expected where value as? String == "*" && told[name] != nil { told[name] = "*" }
            #expect(sortedJSON(told) == sortedJSON(expected))
        }
    }
}

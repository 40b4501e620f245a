import Foundation
import Support

@testable import Engine
@testable import Routes
@testable import Shared
@testable import Upstream

/// A router with one vendor, whose responses are scripted.
///
/// `@unchecked`: used on one loop only.
final class VendorScene: @unchecked Sendable {
    let transport: ScriptedProvider
    private let kind: String
    private let host: RouterHost

    /// The members of requests that say as little as they can, by the endpoint.
    private static let plain = [
        "chat/completions": #"{"messages":[{"role":"user","content":"Hello"}]}"#,
        "messages": #"{"max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}"#,
        "responses": #"{"input":"Hello"}"#,
    ]

    init(_ kind: String, model: String, on loop: EventLoop) {
        self.kind = kind
        let transport = ScriptedProvider("v", on: loop)
        self.transport = transport
        let settings = [
            ("PROVIDERS", "v"), ("PROVIDER_V_KIND", "openai"), ("PROVIDER_V_BASE_URL", "http://v.test/v1"),
            ("PROVIDER_V_MODELS", "m=\(model)"), ("PROVIDER_V_API_KEYS", "k"), ("ANONYMOUS_MODELS", "all"),
        ]
        host = RouterHost(settings, on: loop) { _, tools in
            guard let vendor = Self.vendor(kind, transport, tools) else { preconditionFailure("no URL") }
            return vendor
        }
    }

    func stop() { host.stop() }

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
                memory: ToolCallMemory(.signature, memory, state: nil),
                tools: tools
            )
        default:
            site.chatsBy = kind == "openai" ? .chat : .responses
            return OpenAILike(site, transport, quirks: quirks, reasoningBlocks: nil, tools: tools)
        }
    }

    /// Sends a plain request with further fields.
    func send(_ fields: [String: Any], to endpoint: String) async -> ReceivedResponse {
        var all = jsonMembers(Self.plain[endpoint] ?? "{}").merging(["model": "m"]) { $1 }
        // Anthropic's API has no call without a bound.
        if kind == "anthropic" { all[endpoint == "responses" ? "max_output_tokens" : "max_tokens"] = 100 }
        all.merge(fields) { $1 }
        let request = host.request(sortedJSON(all), to: "/v1/\(endpoint)")
        let writer = ResponseCollector()
        await host.router.handle(request, writer)?.run()
        request.body.requestEnds()
        return writer.answered
    }

    /// Returns the members in which a vendor's body differs from another one. A member that only the other has is null.
    static func difference(_ body: [String: Any], from other: [String: Any]) -> [String: Any] {
        var members = body
        for (name, value) in other {
            guard let own = body[name] else {
                members[name] = NSNull()
                continue
            }
            if sortedJSON(own) == sortedJSON(value) { members[name] = nil }
        }
        return members
    }
}

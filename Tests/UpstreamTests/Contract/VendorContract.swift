import Engine
import Shared

@testable import Upstream

/// One kind of chat vendor, as the tests of what all kinds guarantee know it: how it is made, and its bytes.
protocol VendorContract: Sendable {
    var model: String { get }
    var url: String { get }
    /// Returns the vendor over a transport; nil if its URL is invalid.
    func vendor(_ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)?
    /// Returns the JSON of a whole response.
    func whole(_ said: SaidResponse) -> String
    /// Returns the events of a streamed response, each with its blank line.
    func events(_ said: SaidResponse) -> [String]
    /// The number of events after which the end of a stream counts as cut, if it has no end.
    var begunEvents: Int { get }
    /// The number of last events that a stream may lack.
    var spareEvents: Int { get }
    /// Whether a stream may end within the empty line after its last event, and its connection may break once all output
    /// has arrived.
    var isLenientAtEnd: Bool { get }
    /// Returns the body of an error response.
    func error(_ status: Int, _ message: String) -> String
    /// The faults that differ from those of most kinds.
    var faults: [Int: ContractFault] { get }
    /// The body of an error in a response with the status 200, and the kind of failure that it means.
    var errorInside: (body: String, kind: UpstreamError.Kind) { get }
    /// The vendor's words for finish reasons; nil for a failure.
    var finishes: [(word: String, reason: FinishReason?)] { get }
    /// The names of the fields of which a wrong value is an error. All others are ignored then.
    var neededFields: Set<String> { get }
    /// The signatures and sealed reasoning that clients get of a response that has both.
    var seals: [String] { get }
    var hidesReasoning: Bool { get }
    /// A tool's name that the vendor does not allow.
    var oddName: String { get }
    /// Four optional fields of a request, by the names that the vendor uses in its refusals.
    var optionalFields: [String] { get }
    /// Returns the list of models over a transport; nil if the vendor has none.
    func list(_ transport: any Transport) -> (any ModelList)?
    /// The vendor's list of the models `a` and `b`.
    var listBody: String { get }
    /// The topics that the vendor does not have, each with the reason.
    var lacks: [ContractTopic: String] { get }
}

/// A topic that not all kinds of vendors have.
enum ContractTopic {
    case repeatedUsage, callPieces, callIDs, reasoning, shortNames, nativeChoices, quirks, list
}

extension VendorContract {
    var isLenientAtEnd: Bool { true }
    var faults: [Int: ContractFault] { [:] }
    var seals: [String] { [] }
    var hidesReasoning: Bool { false }
    var url: String { "http://127.0.0.1:1" }
    var listBody: String { #"{"data":[{"id":"a"},{"id":"b"}]}"# }

    func has(_ topic: ContractTopic) -> Bool { lacks[topic] == nil }

    func site(_ url: String? = nil, chatsBy: ProviderSettings.ChatPath? = nil) -> VendorSite {
        var site = VendorSite(name: "p", baseURL: url ?? self.url, headers: [], options: EndpointOptions())
        site.chatsBy = chatsBy
        return site
    }
}

/// The meaning of an error response.
struct ContractFault: Sendable {
    let kind: UpstreamError.Kind
    let recovery: UpstreamError.RecoveryOptions
    var cooldown: UpstreamError.Cooldown?

    init(
        _ kind: UpstreamError.Kind,
        _ recovery: UpstreamError.RecoveryOptions,
        _ cooldown: UpstreamError.Cooldown? = nil
    ) {
        self.kind = kind
        self.recovery = recovery
        self.cooldown = cooldown
    }
}

/// The content of a vendor's response, from which a contract makes bytes.
struct SaidResponse: Sendable {
    struct Call: Sendable {
        var id = "call_a"
        var name = "f"
        /// The arguments as they are streamed; joined in a whole response.
        var pieces = [#"{"x":1}"#]

        var arguments: String { pieces.joined() }
    }

    var reasoning: String?
    /// The signature of the reasoning, and reasoning of which only the sealed form is sent.
    var signature: String?
    var sealed: String?
    var texts = ["hello ", "there"]
    var calls: [Call] = []
    /// The vendor's word for the end; nil for that of a usual end.
    var finish: String?
    /// The reports of prompt and output tokens, as JSON numbers. A whole response has the last one only.
    var usage = [("9", "8")]
    var choices = 1

    var text: String { texts.joined() }

    /// A response that has all kinds of content.
    static let rich = SaidResponse(
        reasoning: "hm",
        signature: "c2ln",
        sealed: "c2VhbA==",
        calls: [Call()]
    )
}

/// The kinds of chat vendors.
enum VendorKind: CaseIterable, Sendable {
    case openai, responses, anthropic, gemini, vertexGemini, vertexClaude, cohere, cloudflare, onemin

    var contract: any VendorContract {
        switch self {
        case .openai: OpenAIContract()
        case .responses: ResponsesContract()
        case .anthropic: AnthropicContract(isVertex: false)
        case .gemini: GeminiContract(isVertex: false)
        case .vertexGemini: GeminiContract(isVertex: true)
        case .vertexClaude: AnthropicContract(isVertex: true)
        case .cohere: CohereContract()
        case .cloudflare: CloudflareContract()
        case .onemin: OneMinContract()
        }
    }
}

extension String {
    /// The text as a JSON string.
    var quoted: String { "\"\(replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"" }

    /// The JSON as a server-sent event.
    func event(_ name: String? = nil) -> String { "\(name.map { "event: \($0)\n" } ?? "")data: \(self)\n\n" }
}

/// A site of one location at Vertex AI, whose callers send access tokens.
func vertexSite(_ site: VendorSite) -> VertexSite {
    let cloud = CloudSettings(projectID: "p", clientID: "", clientSecret: "", locations: ["global"], tokenURL: "")
    return VertexSite(site, cloud, locations: LocationCooldowns(count: 1), tokens: nil)
}

import Engine
import Shared

/// The differences between Anthropic and Vertex AI, which both offer Claude with the Messages API.
struct AnthropicDialect: Sendable {
    /// Whether the API version accepts `temperature` and other sampling fields.
    let supportsSampling: Bool
    /// Whether the service is Vertex AI; false for Anthropic's own service.
    let isVertex: Bool
    /// Whether the server is Anthropic's own or Vertex AI, which know Claude Code's attribution line.
    var isAnthropics = false
    /// The setting that says which information about the client goes on to the vendor.
    var clientInfo = ProviderSettings.ClientInfo.own
    /// The treatment of an advisor's tool if the caller may not use the advisor's model.
    var advisor = ProviderSettings.Advisor.drop
    /// The fields that the settings allow, whatever models they choose.
    var allowedFields: [String] = []
    /// The cache breakpoints that the relay sets; nil if it sets none.
    var promptCache: PromptCacheMarks?
    let errorTable: VendorErrorTable

    /// Whether Claude Code's attribution line goes on to the vendor.
    var sendsAttribution: Bool {
        switch clientInfo {
        case .own: isAnthropics
        case .all: true
        case .none: false
        }
    }

    /// Returns the check of a client's Messages request.
    func check(for attempt: Attempt) -> RequestCheck {
        RequestCheck(for: attempt, allowing: allowedFields, permitting: ["fallbacks"], advisor: advisor)
    }

    /// Returns the client's header lines that go on to the vendor.
    func headers(_ client: MessageHeaders) -> MessageHeaders {
        var client = client
        // Vertex AI's version is in the body.
        if isVertex { client.version = nil }
        return client
    }

    /// Returns whether the endpoint is on Anthropic's own host.
    static func isAnthropics(_ endpoint: Endpoint) -> Bool { endpoint.host?.lowercased() == "api.anthropic.com" }

    /// Appends the body's first member: the model, or Vertex AI's API version.
    func appendOpening(_ model: String, to out: inout ByteBuffer) {
        if isVertex { return out.append(#""anthropic_version":"vertex-2023-10-16""#) }
        out.append(#""model":"#, json: model)
    }

    /// Returns the finding that an organisation policy in Google Cloud forbids structured outputs; nil if Vertex AI
    /// refused the request for another reason.
    func findingOfPolicy(_ refusal: Refusal) -> QuirkFinding? {
        guard isVertex, refusal.status == 400 || refusal.status == 403,
            refusal.request["output_config"]?["format"] != nil, refusal.words.quote("allowedpartnermodelfeatures")
        else { return nil }
        return QuirkFinding(.noSchemas)
    }
}

import Engine
import Limits
import Shared
import Upstream

/// The surface of OpenAI's Responses API: `POST /v1/responses`.
struct OpenAIResponses: ChatSurface {
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        error.inResponses.appendJSON(to: &body)
    }

    var wire: Wire? { .responses }

    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        let draft = try ResponseDraft(
            root,
            defaultModel: defaultModel,
            for: .response,
            toleratesUnknown: reading.toleratesUnknown
        )
        return ChatRequest(draft.call, ResponsesFormatter(draft))
    }
}

extension APIError {
    /// A copy of this error with the field names of the Responses API.
    var inResponses: APIError {
        guard let param = self.param, param.utf8.count <= Self.renamedBytes, let name = Self.name(of: param) else {
            return self
        }
        var error = self
        error.param = name
        if error.message.utf8.count <= Self.renamedBytes {
            error.message = error.message.replacing("'\(param)'", with: "'\(name)'", maxReplacements: 1)
        }
        return error
    }

    private static let renamedBytes = 1_024

    private static func name(of param: String) -> String? {
        if param.isSame(as: "messages") { return "input" }
        if param.isSame(as: "response_format.json_schema.schema") { return "text.format.schema" }
        let name = param.replacing(".function.parameters", with: ".parameters", maxReplacements: 1)
        return name.utf8.count == param.utf8.count ? nil : name
    }
}

/// Handles `POST /v1/responses/input_tokens`: sends the number of input tokens, counted or estimated by the relay.
func countInputTokens(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let (caller, draft) = try await exchange.draft(for: .count)
    var call = draft.call
    call.quirks.owner = CallQuirks.Owner(caller)
    let tokens = call.model.isEmpty ? call.promptTokens : try await promptTokens(of: call, for: caller, exchange)
    exchange.send(json: #"{"object":"response.input_tokens","input_tokens":\#(tokens)}"#)
}

extension ChatCall {
    /// Creates a call from a Responses API body that was sent to `/v1/chat/completions`.
    init(ofResponse root: JSONValue, defaultModel: String?) throws(APIError) {
        let draft = try ResponseDraft(root, defaultModel: defaultModel, for: .chat)
        guard !draft.hasReferences else {
            let param = draft.previousID == nil ? "input" : "previous_response_id"
            throw .unsupported(param, "Stored chat completions are not supported. Use /v1/responses.")
        }
        self = draft.call
        includesUsage = try Self.includesUsage(RequestFields(root), isStreamed: isStreamed)
    }
}

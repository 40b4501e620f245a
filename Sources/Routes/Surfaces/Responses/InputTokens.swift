import Engine
import Limits
import Shared
import Upstream

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

import Calls
import Engine
import Limits
import Shared
import Upstream

/// POST /v1/responses/input_tokens: the tokens that the input would have, counted or estimated without its vendor.
func countInputTokens(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    exchange.surface = OpenAIResponses()
    let caller = try await exchange.caller(.models)
    let defaultModel = gateway.settings.defaultModel
    var draft = try await exchange.json { (root) throws(APIError) in
        try ResponseDraft(root, defaultModel: defaultModel, for: .count)
    }
    if draft.refersBack { try await draft.resolve(for: caller, gateway) }
    let call = draft.call
    exchange.record.model = call.model
    let candidate = try gateway.registry.chat(call.model, for: caller)
    let abilities = candidate.provider.abilities(for: call, of: candidate.model)
    try Completion.check(call, against: abilities)
    let form = candidate.chats ? try TextForm(call, lacking: abilities) : nil
    _ = try await exchange.admit(gateway.limits.cover(caller, .models, exchange.request))
    let counter = TokenCounter.of(model: candidate.model.id)
    let tokens = await gateway.worker.result(ofBytes: call.textBytes, on: gateway.loop) {
        (form?.written(call) ?? call).promptTokens(by: counter)
    }
    guard let tokens else { throw .tooMuchWork }
    var body = ByteBuffer(#"{"object":"response.input_tokens","input_tokens":"#)
    body.append(decimal: tokens)
    body.append("}")
    exchange.send(json: body)
}

extension ChatCall {
    /// Reads a body of the Responses API that is to be answered by a chat completion.
    init(ofResponse root: JSONValue, defaultModel: String?) throws(APIError) {
        let draft = try ResponseDraft(root, defaultModel: defaultModel, for: .chat)
        guard !draft.refersBack else {
            let param = draft.previousID == nil ? "input" : "previous_response_id"
            throw .unsupported(param, "Nothing is stored for chat completions; use /v1/responses.")
        }
        self = draft.call
        includesUsage = try Self.includesUsage(RequestFields(root), isStreamed: isStreamed)
    }
}

import Calls
import Engine
import Limits
import Shared
import Upstream

/// POST /v1/messages/count_tokens: the tokens that the prompt would have, counted or estimated without its vendor.
func countTokens(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.models)
    let defaultModel = gateway.settings.defaultModel
    let call = try await exchange.json { (root) throws(APIError) in
        try ChatCall(message: root, defaultModel: defaultModel, isCounted: true)
    }
    exchange.record.model = call.model
    let candidate = try gateway.registry.chat(call.model, for: caller)
    let abilities = candidate.provider.abilities(for: call, of: candidate.model)
    try Completion.check(call, against: abilities)
    let form = candidate.chats ? try TextForm(call, lacking: abilities) : nil
    _ = try await exchange.admit(gateway.limits.cover(caller, .models, exchange.request))
    let counter = TokenCounter.of(model: candidate.model.id)
    let bytes = call.wishes.tools.reduce(call.textBytes) { bytes, tool in
        bytes + (tool.description?.utf8.count ?? 0) + (tool.schema?.bytes.count ?? 0)
    }
    let tokens = await gateway.worker.result(ofBytes: bytes, on: gateway.loop) {
        (form?.written(call) ?? call).allTokens(by: counter)
    }
    guard let tokens else { throw .tooMuchWork }
    var body = ByteBuffer()
    body.append(#"{"input_tokens":"#)
    body.append(decimal: tokens)
    body.append("}")
    exchange.send(json: body)
}

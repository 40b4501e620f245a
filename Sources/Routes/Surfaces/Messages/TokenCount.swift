import Calls
import Engine
import Limits
import Shared

/// Handles `POST /v1/messages/count_tokens`: sends the prompt's number of tokens, without calling the vendor.
func countTokens(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.chat)
    let defaultModel = gateway.settings.defaultModel
    let call = try await exchange.json { (root) throws(APIError) in
        try ChatCall(message: root, defaultModel: defaultModel, isCounted: true)
    }
    let tokens = try await promptTokens(of: call, for: caller, exchange)
    var body = ByteBuffer()
    body.append(#"{"input_tokens":"#)
    body.append(decimal: tokens)
    body.append("}")
    exchange.send(json: body)
}

import Calls
import Engine
import Limits
import Shared

/// GET /v1/usage: the caller's own limits.
func showOwnUsage(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    exchange.record.isOfOperator = true
    let caller = try await exchange.caller(.models)
    _ = try await exchange.admit(gateway.limits.cover(caller, .models, exchange.request))
    try await exchange.check(caller)
    let states = try await LimitStates(of: [caller], gateway, from: gateway.limits.address(exchange.request))
    let limits = states.all.map { state -> JSONFragment in
        #"""
        {"limit":\#(state.use.limit.quota.textWithUnit),"name":\#(state.text),"used":\#(state.used),\#
        "left":\#(state.left),"resets_at":\#(state.resetsAt)}
        """#
    }
    exchange.send(
        json: ByteBuffer(
            json: #"{"object":"usage","caller":\#(caller.name),"limits":\#(limits),"days":[]}"#
        )
    )
}

import Engine
import Limits
import Shared
import Upstream
import UsageRecords

/// Handles GET /v1/usage: sends the caller's own limits and usage of the last 30 days.
func showOwnUsage(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    exchange.record.assignToPage(in: gateway.counts)
    let caller = try await exchange.caller(.models)
    _ = try await exchange.admit(gateway.limits.limitsOfUsage(caller, exchange.request))
    try await exchange.check(caller)
    let states = try await LimitStates(of: [caller], gateway, from: gateway.limits.address(exchange.request))
    let (shared, own) = (states.all.filter(\.isOfAll), states.all.filter { !$0.isOfAll })
    let limits =
        (shared.isEmpty ? [] : [limit(ofAll: shared)])
        + own.map { state -> JSONFragment in
            #"""
            {"limit":\#(state.use.limit.quota.textWithUnit),"name":\#(state.text),"used":\#(state.used),\#
            "left":\#(state.left),"resets_at":\#(state.resetsAt),"is_used_up":\#(state.isUsedUp)}
            """#
        }
    let days = try await ownDays(of: caller, gateway)
    exchange.send(
        json: ByteBuffer(json: #"{"object":"usage","caller":\#(caller.name),"limits":\#(limits),"days":\#(days)}"#)
    )
}

/// Returns the entry that stands for the limits of all callers together. It does not show what the others have used,
/// only whether one of the limits is used up.
private func limit(ofAll states: [LimitStates.State]) -> JSONFragment {
    let usedUp = states.filter(\.isUsedUp)
    let resetsAt = usedUp.compactMap(\.resetsAt).max()
    return #"""
        {"limit":"all callers together","name":"total","used":null,"left":null,"resets_at":\#(resetsAt),\#
        "is_used_up":\#(!usedUp.isEmpty)}
        """#
}

/// Returns the caller's usage on each day with requests in the last 30 days.
///
/// The list is empty if the caller has no key or the relay has no usage database.
private func ownDays(of caller: Caller, _ gateway: Gateway) async throws(APIError) -> [JSONFragment] {
    guard let name = caller.name, gateway.settings.usageDatabase != nil, let reader = gateway.usage.reader else {
        return []
    }
    let today = reader.zone.today
    let query = UsageQuery(by: [.day], from: today.adding(days: -29), to: today, caller: name)
    let table: UsageTable
    do throws(UsageFailure) {
        table = try await reader.usage(query, on: gateway.loop)
    } catch {
        gateway.log.warning("usage records cannot be read") { $0.add("cause", error.cause) }
        throw .overloaded("The usage of past days cannot be read at the moment. Try again later.")
    }
    return table.rows.map { row in
        let figures = row.figures
        return #"""
            {"date":\#(row.values.first ?? nil),"requests":\#(figures.requests),\#
            "prompt_tokens":\#(figures.promptTokens),"completion_tokens":\#(figures.completionTokens),\#
            "cost":\#(number: figures.dollars)\#(members: figures.details)}
            """#
    }
}

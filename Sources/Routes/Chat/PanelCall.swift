import Calls
import Engine
import Limits
import Shared
import Upstream

/// One call of a panel to a member or to the summary model.
final class PanelCall: OnLoop, @unchecked Sendable {
    let billing: Billing
    private let name: String
    private let exchange: Exchange
    /// Whether this call produces the response for the client.
    private let isLast: Bool
    private let startedAt: LoopTime

    /// Creates the call, and adds the call's billing to the request's billing.
    ///
    /// - Parameters:
    ///   - name: the name of the model that is called, in the panel's settings.
    ///   - whole: the billing of the request.
    init(_ name: String, _ whole: Billing, exchange: Exchange, isLast: Bool) {
        self.name = name
        self.exchange = exchange
        self.isLast = isLast
        billing = whole.part()
        startedAt = exchange.gateway.loop.now
    }

    /// The model's name in limits and metrics.
    private var countedName: String { exchange.gateway.registry.modelCatalog.countedName(ofMember: name) }

    func choose(_ candidate: Candidate) {
        if isLast { exchange.billing?.server = candidate.server }
    }

    /// Counts this upstream call in the limits of its model. Throws if a limit refuses the call.
    func admit(_ asked: ChatCall, _ candidates: Candidates, for caller: Caller) async throws(UpstreamError) {
        let gateway = exchange.gateway
        guard gateway.limits.dependsOnModels else { return }
        let leading = candidates.leading
        let name = gateway.registry.limitedName(leading.name, asked: countedName)
        let applicableLimits = gateway.limits.limitsOfPartialCall(caller, exchange.request, model: name)
        let usageReservation = UsageReservation(
            asked,
            leading,
            caller: caller,
            applicableLimits: applicableLimits,
            gateway: gateway,
            extras: PromptExtras()
        )
        let charges = applicableLimits.charges(of: usageReservation)
        guard !charges.isEmpty else { return }
        let reservation = await exchange.hold(charges)
        if let refusal = reservation.decision.error { throw UpstreamError(refusing: refusal) }
        billing.bill(by: usageReservation)
        billing.hold(reservation)
    }

    /// Opens the response of the call. Records the call's end in the metrics and in the log; for a streamed response,
    /// its delivery does so.
    func open(_ task: ChatTask) async throws(UpstreamError) -> BegunChat {
        let begun = try await task.open(billing)
        switch begun {
        case .whole(_, let usage): ended(usage, nil)
        case .stream(let open): open.ended = ended
        }
        return begun
    }

    /// Records the end of the call in the metrics and in the log.
    func ended(_ usage: Usage?, _ error: UpstreamError?) {
        billing.end()
        let gateway = exchange.gateway
        let cost = billing.cost
        if isLast {
            exchange.record.ownCost = cost
        } else if usage != nil || cost != nil {
            gateway.counts.count(usage ?? .nothing, cost: cost, of: countedName, for: exchange.record.caller)
        }
        gateway.log.info("panel call") { line in
            line.add("request_id", word: exchange.requestID)
            line.add("panel", exchange.record.model)
            line.add("model", name)
            if let provider = billing.provider { line.add("provider", word: provider) }
            line.add("duration_ms", gateway.loop.now.milliseconds(since: startedAt))
            line.add("attempts", billing.provider == nil ? 0 : billing.attempts)
            if let usage {
                line.add("prompt_tokens", usage.promptTokens)
                line.add("completion_tokens", usage.completionTokens)
            }
            if let cost { line.add("cost", number: cost.text) }
            line.add("success", error == nil)
            if let error { line.add("error", error.ofMember) }
        }
    }
}

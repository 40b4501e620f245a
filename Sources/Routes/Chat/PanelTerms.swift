import Calls
import Engine
import Limits
import Shared
import Upstream

extension PanelChat: ChatSource {
    var sendsAttribution: Bool { false }
    var outline: ChatOutline? { lastDraft.map { ChatOutline(options: $0.options, cachedName: panel.name) } }

    /// Counts the request in its limits, and reserves units for all its upstream calls.
    ///
    /// Throws if a limit refuses the request.
    func admitted(_ exchange: Exchange) async throws(APIError) -> Admission {
        try await prepare()
        if panel.name != call.model { exchange.record.substitute = panel.name }
        if asking.kind == .passThrough, let draft = lastDraft {
            try await exchange.countUnknownKey(asking, servedBy: draft.candidate)
        }
        let applicableLimits = exchange.applicableLimits(asking, .chat, servedBy: panel.name)
        let (reserved, minimum, _) = reservation(under: applicableLimits, exchange)
        let usageReservation = UsageReservation(
            reserving: reserved,
            atLeast: minimum,
            model: panel.name,
            creditsPerCall: 0,
            averages: exchange.gateway.limiter.averages
        )
        let isNeeded = exchange.gateway.limits.countsLate || reserved.images > 0
        return try await exchange.admit(applicableLimits, isNeeded ? usageReservation : nil)
    }

    /// The longest text whose tokens are counted on the event loop, in bytes.
    private static let countedBytes = 32_768

    /// Returns the units to reserve for all upstream calls of the panel.
    ///
    /// - Returns: `amounts` are the units to reserve. `minimum` are the units without what averages of earlier
    ///   responses add. `responseTokens` is the expected length of the panel's response in tokens.
    private func reservation(
        under applicableLimits: ApplicableLimits,
        _ exchange: Exchange
    ) -> (amounts: Amounts, minimum: Amounts, responseTokens: Int) {
        let gateway = exchange.gateway
        guard gateway.limits.countsLate || !applicableLimits.isPlain else { return (Amounts(), Amounts(), 0) }
        let asked = panel.memberCall(of: call)
        // Each member may count with its own vocabulary.
        let isLong = asked.allTextBytes * (cast.members.count + 1) > PanelChat.countedBytes
        let extras = PromptExtras(isEstimated: isLong)
        var (amounts, minimum) = (Amounts(), Amounts())
        var referenceTokens = 0
        for name in cast.members {
            switch try? gateway.registry.resolve(.member(name), for: caller) {
            case .candidates(let candidates):
                let leading = candidates.leading
                let one = UsageReservation(asked, leading, caller, under: applicableLimits, gateway, extras)
                amounts = amounts + (one?.reserved ?? Amounts())
                minimum = minimum + (one?.minimum ?? Amounts())
                referenceTokens += gateway.expectedTokens(of: leading.model, for: caller)
            case .panel(let panel):
                let inner = PanelChat(asked, panel, caller: caller, for: exchange, isInner: true)
                let (more, least, tokens) = inner.reservation(under: applicableLimits, exchange)
                (amounts, minimum) = (amounts + more, minimum + least)
                referenceTokens += tokens
            case nil: break
            }
        }
        if let draft = draft ?? ownDraft() {
            let last = exchange.usageReservation(for: draft, under: applicableLimits, expecting: referenceTokens)
            return (
                amounts + (last?.reserved ?? Amounts()), minimum + (last?.minimum ?? Amounts()),
                call.maxTokens ?? gateway.expectedTokens(of: draft.candidate.model, for: caller)
            )
        }
        guard let maker else { return (amounts, minimum, 0) }
        let (more, least, tokens) = maker.reservation(under: applicableLimits, exchange)
        return (amounts + more + Amounts(tokens: referenceTokens), minimum + least, tokens)
    }
}

extension Exchange: PanelRequester {
    var registry: Registry { gateway.registry }

    func admit(
        _ call: PanelCall,
        _ asked: ChatCall,
        _ leading: Candidate,
        for caller: Caller
    ) async throws(UpstreamError) {
        guard gateway.limits.dependsOnModels else { return }
        let name = registry.limitedName(leading.name, asked: registry.modelCatalog.countedName(ofMember: call.name))
        let limits = gateway.limits.limitsOfPartialCall(caller, request, model: name)
        let usageReservation = UsageReservation(asked, leading, caller, under: limits, gateway, PromptExtras())
        let charges = limits.charges(of: usageReservation)
        guard !charges.isEmpty else { return }
        let reservation = await hold(charges)
        if let refusal = reservation.decision.error { throw UpstreamError(refusing: refusal) }
        call.billing.bill(by: usageReservation)
        call.billing.hold(reservation)
    }

    func ended(_ call: PanelCall, _ usage: Usage?, _ error: UpstreamError?) {
        let billing = call.billing
        let cost = billing.cost
        if call.isLast {
            record.ownCost = cost
        } else if usage != nil || cost != nil {
            let name = registry.modelCatalog.countedName(ofMember: call.name)
            gateway.counts.count(usage ?? .nothing, cost: cost, of: name, for: record.caller)
        }
        gateway.log.info("panel call") { line in
            line.add("request_id", word: requestID)
            line.add("panel", record.model)
            line.add("model", call.name)
            if let provider = billing.provider { line.add("provider", word: provider) }
            line.add("duration_ms", gateway.loop.now.milliseconds(since: call.startedAt))
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

import Engine
import Limits
import Shared
import Upstream

extension PanelChat {
    /// Plans the reservation of units for all upstream calls.
    func plan(_ exchange: Exchange) async throws(APIError) -> ChatPlan {
        try await prepare()
        guard let fit = finalSummaryFit else { throw .modelNotFound(call.model) }
        if panel.name != call.model { exchange.record.substitute = panel.name }
        try await exchange.countUnknownKey(asking, servedBy: fit.candidate)
        let applicableLimits = exchange.applicableLimits(asking, .chat, servedBy: panel.name, for: call.endUser)
        let (output, images, _) = reservation(under: applicableLimits, exchange)
        let (name, averages) = (panel.name, exchange.gateway.limiter.averages)
        let isNeeded = exchange.gateway.limits.countsLate || images > 0
        let usageReservation =
            output.map { UsageReservation($0, images: images, model: name, averages: averages) }
            ?? UsageReservation(reserving: Amounts(images: images), model: name, creditsPerCall: 0, averages: averages)
        return ChatPlan(
            options: fit.options,
            cachedName: exchange.gateway.cache == nil ? name : cachedName(exchange.registry.modelCatalog),
            limits: applicableLimits,
            usageReservation: isNeeded ? usageReservation : nil
        )
    }

    /// Returns the name of the panel with its settings and those of the panels that it calls. Other settings would lead to
    /// another response.
    private func cachedName(_ modelCatalog: ModelCatalog) -> String {
        var (name, left) = (panel.name, [panel])
        while let panel = left.popLast() {
            name += "\n\(String(reflecting: panel))"
            for member in panel.casts.flatMap({ $0.members + [$0.summary] }) {
                if case .panel(let next) = modelCatalog.member(member) { left.append(next) }
            }
        }
        return name
    }

    /// The longest text whose tokens are counted on the event loop, in bytes.
    private static let countedBytes = 32_768

    /// Returns the units to reserve for all upstream calls of the panel.
    /// - Returns: `output` is the likely output of all calls; nil if no limit needs it. `responseTokens` is the expected
    ///   length of the panel's response in tokens.
    private func reservation(
        under applicableLimits: ApplicableLimits,
        _ exchange: Exchange
    ) -> (output: LikelyOutput?, images: Int, responseTokens: Int) {
        let gateway = exchange.gateway
        guard gateway.limits.countsLate || !applicableLimits.isPlain else { return (nil, 0, 0) }
        let asked = panel.memberCall(of: call)
        // Each member may count with its own vocabulary.
        let isLong = asked.allTextBytes * (cast.members.count + 1) > PanelChat.countedBytes
        let extras = PromptExtras(isEstimated: isLong)
        var (output, images, referenceTokens) = (LikelyOutput?.none, 0, 0)
        func add(_ more: LikelyOutput?, _ moreImages: Int) {
            if let more { output = output.map { $0 + more } ?? more }
            images += moreImages
        }
        for name in cast.members {
            switch try? gateway.registry.resolve(.member(name), for: caller) {
            case .candidates(let candidates):
                let leading = candidates.leading
                let one = UsageReservation(asked, leading, caller, under: applicableLimits, gateway, extras)
                add(one?.output, one?.reserved.images ?? 0)
                referenceTokens += gateway.expectedTokens(of: leading.model, for: caller)
            case .panel(let panel):
                let inner = PanelChat(asked, panel, caller: caller, for: exchange, isInner: true)
                let (more, moreImages, tokens) = inner.reservation(under: applicableLimits, exchange)
                add(more, moreImages)
                referenceTokens += tokens
            case nil: break
            }
        }
        if let fit = summaryFit ?? newSummaryFit() {
            let last = exchange.usageReservation(for: fit, under: applicableLimits, expecting: referenceTokens)
            add(last?.output, last?.reserved.images ?? 0)
            let expected = gateway.expectedTokens(of: fit.candidate.model, for: caller)
            return (output, images, min(expected, call.maxTokens ?? .max))
        }
        guard let maker else { return (output, images, 0) }
        let (more, moreImages, tokens) = maker.reservation(under: applicableLimits, exchange)
        add(more, moreImages)
        return (output, images, tokens)
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
        if let whole = billing, let funded = whole.fundedOutput, let all = whole.usageReservation?.output {
            let one = UsageReservation(
                asked,
                leading,
                caller,
                under: applicableLimits(caller, .chat, servedBy: leading.name, for: asked.endUser),
                gateway,
                PromptExtras(isEstimated: true)
            )
            if let output = one?.output { call.billing.outputShare = all.share(of: funded, for: output) }
        }
        guard gateway.limits.dependsOnModels else { return }
        var demand = gateway.limits.demand(of: caller, .chat, request)
        let counted = registry.modelCatalog.countedName(ofMember: call.name)
        registry.setModel(of: &demand, leading.name, asked: counted, gateway.limits)
        let limits = gateway.limits.limitsOfPartialCall(demand)
        let usageReservation = UsageReservation(asked, leading, caller, under: limits, gateway, PromptExtras())
        let charges = limits.charges(of: usageReservation)
        guard !charges.isEmpty else { return }
        let reservation = await hold(charges)
        if let refusal = reservation.decision.error { throw UpstreamError(refusing: refusal) }
        let decision = reservation.decision
        call.billing.bill(by: usageReservation)
        call.billing.hold(reservation)
        call.billing.fund(charges, decision.held, by: gateway.limiter, on: gateway.loop)
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

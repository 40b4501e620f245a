package import Engine
package import Limits
package import Shared

/// The limits from which a request reserves more while it runs.
struct Funding {
    /// The charges of the limits whose use is known only after the call.
    let charges: [LimitCharge]
    let limiter: Limiter
    let loop: EventLoop
    /// The units that the request holds: those of its admission, then those of each draw.
    var held: [ReservedUnits]

    /// Returns the units that the request holds of the charge's limit.
    func held(of charge: LimitCharge) -> Int {
        held.reduce(0) { $0 + ($1.limit == charge.limit ? $1.units : 0) }
    }
}

extension Billing {
    package enum DrawOutcome: Sendable { case drawn, refused, unavailable }

    /// Lets the request reserve more from the limits that have admitted it.
    /// - Parameter held: what the request holds of them.
    package func fund(_ charges: [LimitCharge], _ held: [ReservedUnits], by limiter: Limiter, on loop: EventLoop) {
        guard usageReservation?.output != nil else { return }
        let late = charges.filter { $0.limit.quota.unit.isKnownLate }
        if late.isEmpty { return }
        funding = Funding(charges: late, limiter: limiter, loop: loop, held: held)
        updateFundedOutput()
    }

    private func updateFundedOutput() {
        if let paid = paidOutput, paid.limit.quota.isBudget { fundedOutput = paid.reserved }
    }

    /// Reserves what the request wishes of its budgets, as far as it is free. A turn counts only what a request needs at
    /// least, and rates lower no bound.
    package func fundWish() async {
        guard let funding else { return }
        let draw = await draw(
            funding.charges.compactMap { charge in
                let (held, most) = (funding.held(of: charge), charge.largeWish)
                guard charge.limit.quota.isBudget, most > held else { return nil }
                return LimitCharge(charge.limit, charge.identity, upTo: charge.wish - held, ifHalfIsFree: most - held)
            }
        )
        if draw.outcome == .drawn { updateFundedOutput() }
    }

    /// The output that the budgets of the request pay for its present call, or its rates if it has no budget; nil without
    /// such limits.
    package var paidOutput: LikelyOutput.Paid? { paidOutput(after: usedSoFar) }

    /// The output that is paid for the present round of calls, also while its choices end one by one.
    package var paidOutputOfRound: LikelyOutput.Paid? { paidOutput(after: usedBeforeRound) }

    private func paidOutput(after used: Amounts) -> LikelyOutput.Paid? {
        guard let funding, let output = usageReservation?.output else { return nil }
        return output.paid(by: funding.held, after: used)
    }

    /// Begins a round of calls, after those whose ends are recorded.
    package func beginRound() { usedBeforeRound = usedSoFar }

    /// Whether anything can lower the bound of the output.
    var boundsOutput: Bool { funding != nil || outputShare != nil }

    /// Returns the bound of the output of each choice that the vendor gets in place of the request's own; nil if that is
    /// paid. Only budgets lower a bound.
    /// - Parameter asked: the bound of each choice; nil if it has none.
    package func lowerBound(_ asked: Int?, choices: Int) -> Int? {
        var most = outputShare.map { $0 - (usageOfFailure?.completionTokens ?? 0) } ?? .max
        if let paid = paidOutput, paid.limit.quota.isBudget, let output = usageReservation?.output {
            most = min(most, output.isSeen ? paid.reserved + paid.spare + paid.free : paid.reserved)
        }
        let bound = max(1, most / choices)
        guard bound < asked ?? LikelyOutput.unbounded else {
            lowered = nil
            return nil
        }
        lowered = (bound, bound * choices)
        return bound
    }

    /// Returns whether the response met a bound that budgets have lowered.
    func isCutByBound(_ usage: Usage) -> Bool { lowered.map { usage.completionTokens >= $0.ofAll } ?? false }

    /// Returns whether a lowered bound may have cut off the response, or that of a panel's call.
    package func mayBeCut(_ usage: Usage) -> Bool { isCutByBound(usage) || hasLoweredPart }

    /// Reserves units for so many further tokens of output in all limits that cover the request, as far as they are
    /// free.
    package func draw(_ tokens: Int) async -> DrawOutcome {
        guard let funding, let output = usageReservation?.output else { return .refused }
        return await draw(funding.charges.compactMap { output.draw(tokens, $0) }).outcome
    }

    /// Reserves what a further call of the request needs at least, unless what earlier calls did not use suffices.
    ///
    /// Throws the refusal if a budget has less.
    func fundNextCall() async throws(UpstreamError) {
        guard let funding, let output = usageReservation?.output else { return }
        beginRound()
        let (used, minimum) = (usedSoFar, output.minimum)
        let drawn = await draw(
            funding.charges.compactMap { charge in
                let unit = charge.limit.quota.unit
                let missing = min(minimum[unit], charge.limit.quota.count) - (funding.held(of: charge) - used[unit])
                return missing > 0 ? charge.drawing(missing, upTo: missing) : nil
            }
        )
        if drawn.outcome != .drawn, let refusal = drawn.refusal?.error { throw UpstreamError(ofBudget: refusal) }
    }

    @inline(never)  // Rarely called.
    private func draw(_ charges: [LimitCharge]) async -> (outcome: DrawOutcome, refusal: Decision?) {
        guard let funding else { return (.refused, nil) }
        if charges.isEmpty { return (.drawn, nil) }
        let draw = await funding.limiter.reserve(charges, on: funding.loop)
        guard draw.decision.isAdmitted else {
            return (draw.decision.refusal == nil ? .unavailable : .refused, draw.decision)
        }
        let held = draw.decision.held
        guard add(draw) else { return (.refused, nil) }
        self.funding?.held += held
        return (.drawn, nil)
    }
}

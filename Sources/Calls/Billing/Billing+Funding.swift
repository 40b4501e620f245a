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
}

extension Billing {
    /// The output that the reservation pays for the present call, in tokens.
    package struct PaidOutput: Sendable {
        package var reserved: Int
        /// The tokens that were free beside the reservation after the last decision.
        package var free: Int
        /// The limit that pays least.
        package var limit: Limit
    }

    package enum DrawOutcome: Sendable { case drawn, refused, unavailable }

    /// Lets the request reserve more from the limits that have admitted it.
    package func fund(_ charges: [LimitCharge], _ admitted: Decision, by limiter: Limiter, on loop: EventLoop) {
        guard usageReservation?.output != nil else { return }
        let late = charges.filter { $0.limit.quota.unit.isKnownLate }
        if late.isEmpty { return }
        funding = Funding(charges: late, limiter: limiter, loop: loop, held: admitted.held)
        if let paid = paidOutput, paid.limit.quota.isBudget { fundedOutput = paid.reserved }
    }

    /// The output that the budgets of the request pay, or its rates if it has no budget; nil without such limits.
    package var paidOutput: PaidOutput? {
        guard let funding, let output = usageReservation?.output else { return nil }
        let hasBudget = funding.charges.contains { $0.limit.quota.isBudget }
        let used = usedSoFar
        var tightest: PaidOutput?
        for charge in funding.charges where charge.limit.quota.isBudget == hasBudget {
            guard let need = output[charge.limit.quota.unit] else { continue }
            let own = funding.held.filter { $0.limit == charge.limit }
            let left = own.reduce(-used[charge.limit.quota.unit]) { $0 + $1.units }
            let reserved = need.output(reserving: left, likely: output.likely)
            let most = reserved + need.output(paidBy: own.last?.free ?? 0)
            guard let other = tightest else {
                tightest = PaidOutput(reserved: reserved, free: most - reserved, limit: charge.limit)
                continue
            }
            let least = min(reserved, other.reserved)
            tightest = PaidOutput(
                reserved: least,
                free: min(most, other.reserved + other.free) - least,
                limit: other.reserved <= reserved ? other.limit : charge.limit
            )
        }
        return tightest
    }

    /// Returns the bound of the output of each choice that the vendor gets in place of the request's own; nil if that is
    /// paid. Only budgets lower a bound.
    ///
    /// - Parameter asked: the bound of each choice; nil if it has none.
    package func lowerBound(_ asked: Int?, choices: Int) -> Int? {
        var most = outputShare ?? .max
        if let paid = paidOutput, paid.limit.quota.isBudget, let output = usageReservation?.output {
            most = min(most, output.isSeen ? paid.reserved + paid.free : paid.reserved)
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
    package func isCutByBound(_ usage: Usage) -> Bool { lowered.map { usage.completionTokens >= $0.ofAll } ?? false }

    /// Returns whether a lowered bound may have cut off the response, or that of a panel's call.
    package func mayBeCut(_ usage: Usage) -> Bool { isCutByBound(usage) || hasLoweredPart }

    /// Reserves units for so many further tokens of output in all limits that cover the request, as far as they are
    /// free.
    package func draw(_ tokens: Int) async -> DrawOutcome {
        guard let output = usageReservation?.output else { return .refused }
        return await draw { charge in
            guard let need = output[charge.limit.quota.unit], need.perMillion > 0 else { return nil }
            let least = need.units(ofOutput: min(tokens, Allowance.leastDraw))
            return (least, need.units(ofOutput: tokens))
        }.outcome
    }

    /// Reserves what a further call of the request needs at least, unless what earlier calls did not use suffices.
    ///
    /// Throws the refusal if a budget has less.
    package func fundNextCall() async throws(UpstreamError) {
        guard let funding, let output = usageReservation?.output else { return }
        let (used, minimum) = (usedSoFar, output.minimum)
        let drawn = await draw { charge in
            let unit = charge.limit.quota.unit
            let held = funding.held.reduce(0) { $0 + ($1.limit == charge.limit ? $1.units : 0) }
            let missing = min(minimum[unit], charge.limit.quota.count) - (held - used[unit])
            return missing > 0 ? (missing, missing) : nil
        }
        if drawn.outcome != .drawn, let refusal = drawn.refusal?.error { throw UpstreamError(ofBudget: refusal) }
    }

    /// Reserves units in all limits that cover the request. Rates reserve only what is free.
    ///
    /// - Parameter units: returns the least units and the wish for a limit; nil for none.
    private func draw(
        _ units: (LimitCharge) -> (least: Int, wish: Int)?
    ) async -> (outcome: DrawOutcome, refusal: Decision?) {
        guard let funding else { return (.refused, nil) }
        let charges = funding.charges.compactMap { charge in
            units(charge).map { (least, wish) in
                LimitCharge(
                    charge.limit,
                    charge.identity,
                    units: charge.limit.quota.isBudget ? least : 0,
                    upTo: wish
                )
            }
        }
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

/// The ends of waits: admissions, refusals, clients that leave, and the end of the process.
extension Ledger {
    /// Admits a request that all its limits have counted.
    mutating func admission(_ request: Pending, _ now: ClockReading) -> Decision {
        admission(request, admission(request.parts, now), now)
    }

    /// Adds the wait of an admitted request to the decision about it.
    mutating func admission(_ request: Pending, _ decision: Decision, _ now: ClockReading) -> Decision {
        var decision = decision
        if let wait = request.wait, let kind = wait.kind {
            decision.waitedMicroseconds = max(0, now.steady - wait.since)
            metrics.waits[kind.index].record(decision.waitedMicroseconds)
        }
        return decision
    }

    mutating func endWait(_ request: Pending, _ decision: Decision) {
        endSleep(request)
        guard let wait = request.wait else { return }
        if wait.isCounted { turns.remove(wait.patience.caller) }
        forgetTurns(request)
        if !decision.isAdmitted { metrics.count(.refused) } else if wait.kind != nil { metrics.count(.used) }
        request.wait = nil
        callNext(after: request, of: wait.patience.caller)
    }

    /// Ends the wait of a request whose client has left, or whose key is no longer accepted. Returns false if the request
    /// does not wait.
    @discardableResult
    mutating func leave(_ request: Pending, _ outcome: TurnOutcome = .left, at now: ClockReading) -> Bool {
        let (request, now) = (request.current, read(now))
        guard request.decision == nil, let wait = request.wait else { return false }
        metrics.count(outcome)
        giveUp(request, now)
        request.wait = nil
        callNext(after: request, of: wait.patience.caller)
        let part = request.parts[0]
        let refusal = Decision.Refusal(limit: part.account.limit, requested: part.minimum, retryAfterMicroseconds: 0)
        decide(request, Decision(.refused(refusal)))
        return true
    }

    /// Gives back all that a waiting request has in its limits, and its place among the waiting ones.
    mutating func giveUp(_ request: Pending, _ now: ClockReading) {
        endSleep(request)
        giveUpFormerTurn(request, now)
        giveBackSelected(request.parts, now)
        forgetTurns(request)
        if let wait = request.wait, wait.isCounted { turns.remove(wait.patience.caller) }
        request.wait?.isCounted = false
    }

    /// Gives back the turns of all requests, because the process is about to end.
    mutating func endWaits(at now: ClockReading) {
        let now = read(now)
        var sleepers: [Pending] = []
        accounts.forEach { sleepers += $0.sleepers + $0.slotQueue + $0.behind }
        for request in sleepers { endSleep(request) }
        for request in sleepers where request.decision == nil {
            giveBackSelected(request.parts, now)
            decide(request, Decision(.ending))
        }
    }
}

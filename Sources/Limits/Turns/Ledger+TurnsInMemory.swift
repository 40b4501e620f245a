/// The turns of requests that are counted in this process, without a store.
extension Ledger {
    /// Returns whether one of the limits has no room now.
    mutating func isFull(_ charges: [LimitCharge], _ now: ClockReading) -> Bool {
        charges.contains { !account($0, now).counter.hasRoom(for: $0.units, at: now.wall) }
    }

    /// Decides about a request without a store, or lets it wait for its turn.
    mutating func askInMemory(
        _ charges: [LimitCharge],
        _ wait: TurnWait?,
        _ now: ClockReading,
        _ waiter: () -> any DecisionWaiter
    ) -> AskResult {
        guard let wait, isFull(charges, now) else { return .decided(decideInMemory(charges, now)) }
        let parts = charges.map { Pending.Share(account($0, now), $0, .local) }
        let request = Pending(parts, waiter(), at: now.steady, timeoutMicroseconds: options.timeoutMicroseconds)
        request.wait = wait
        request.charges = charges
        decideOrSleep(request, now)
        guard let decision = request.decision else { return .waits(request) }
        outbox.decided.removeAll { $0 === request }
        return .decided(decision)
    }

    /// Decides about a request that no limit has counted, or lets it wait for its turn.
    mutating func decideOrSleep(_ request: Pending, _ now: ClockReading) {
        let isFull = request.parts.contains { !$0.account.counter.hasRoom(for: $0.minimum, at: now.wall) }
        if !isFull {
            let decision = admission(request, decideByRule(request.parts, now), now)
            return decide(request, decision)
        }
        if waitBehind(request, now) { return }
        guard postpone(request, now) else { return waitForSlotOrRefuse(request, now) }
        for index in request.parts.indices where !request.parts[index].account.isOfSlots {
            var part = RequestPart(request: request, index: index)
            guard takeTurn(&part, nil, now), let turn = part.turn else { return refuse(request, now) }
            request.parts[index].units = part.units
            request.parts[index].state = .claimed(turn)
            let counter = request.parts[index].account.counter as? WindowCounter
            let present = request.parts[index].account.limit.layout.bucket(at: now.wall)
            took(turn, part, written: max(present, counter?.record.newest ?? present), now)
        }
        sleep(request, now)
    }

    /// Lets a request wait for a slot if it lacks nothing else; else refuses it.
    private mutating func waitForSlotOrRefuse(_ request: Pending, _ now: ClockReading) {
        let full = request.parts.indices.filter { index in
            let part = request.parts[index]
            return !part.account.counter.hasRoom(for: part.minimum, at: now.wall)
        }
        let isOfSlots = full.allSatisfy { request.parts[$0].account.isOfSlots }
        if isOfSlots, let first = full.first, waitForSlot(RequestPart(request: request, index: first), nil, now) {
            return
        }
        refuse(request, now)
    }

    mutating func wakeInMemory(_ request: Pending, _ now: ClockReading) {
        endSleep(request)
        var (isKept, isMoved) = (true, false)
        for index in request.parts.indices where isKept {
            let (counter, units) = (request.parts[index].account.counter, request.parts[index].units)
            guard case .claimed(let bucket) = request.parts[index].state else {
                isKept = counter.hasRoom(for: units, at: now.wall)
                continue
            }
            guard counter.keepsTurn(units, in: bucket, at: now.wall),
                let present = counter.use(units, in: bucket, at: now.wall)
            else {
                (isKept, isMoved) = (false, true)
                continue
            }
            request.parts[index].state = .claimed(present)
        }
        if isKept {
            for index in request.parts.indices where request.parts[index].account.isOfSlots {
                let part = request.parts[index]
                request.parts[index].state = .claimed(part.account.counter.charge(part.units, at: now.wall))
            }
            let decision = admission(request, now)
            return decide(request, decision)
        }
        if isMoved { request.wait?.isOver = true }
        giveBackSelected(request.parts, now)
        for index in request.parts.indices {
            request.parts[index].units = request.parts[index].minimum
            request.parts[index].state = .local
        }
        decideOrSleep(request, now)
    }
}

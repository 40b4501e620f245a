/// The handling of a request, from its first check to the settlement of its units.
extension Ledger {
    /// The delay above which the timer of a waiting request counts as late, in microseconds.
    static let lateTimerMicroseconds = 50_000
    /// The number of times that a request gets its full waiting time again after its timer fired late. A late timer
    /// shows that the process was stopped or starved.
    static let maxLateFirings = 3

    enum AskResult {
        case decided(Decision)
        case waits(Pending)
    }

    /// Decides about a request, or returns the request as waiting for the store.
    /// - Parameters:
    ///   - patience: how long the request may wait for its turn; nil to decide at once.
    ///   - loop: the index of the request's event loop.
    mutating func ask(
        _ charges: [LimitCharge],
        _ patience: LimitPatience? = nil,
        from loop: Int = 0,
        at now: ClockReading,
        _ waiter: () -> any DecisionWaiter
    ) -> AskResult {
        let now = read(now)
        let patience = patience.map { turns.hasRoom(for: $0.caller, options.maxWaiting) ? $0 : $0.withoutPlace }
        return ask(charges, patience.map { TurnWait($0, at: now.steady) }, from: loop, read: now, waiter)
    }

    /// Decides about a new request, or again about one that waits.
    mutating func ask(
        _ charges: [LimitCharge],
        _ wait: TurnWait?,
        from loop: Int,
        read now: ClockReading,
        _ waiter: () -> any DecisionWaiter
    ) -> AskResult {
        guard isShared else { return askInMemory(charges, wait, now, waiter) }
        var parts = charges.map { share(of: $0, now) }
        for (charge, part) in zip(charges, parts) where part.state == .unread {
            guard let former = part.account.former, !isUnderRule(former, now) else { continue }
            // A part without units is read before the request is counted.
            parts.append(Pending.Share(former, LimitCharge(charge.limit, charge.identity, units: 0), .unread))
        }
        if parts.count > 1 { parts.sort { $0.account.storeKey < $1.account.storeKey } }
        let isKnownFull = parts.contains { part in
            part.minimum > part.account.limit.quota.count
                || (part.state == .unread && part.account.refusedUntil > now.steady
                    && !part.account.counter.hasRoom(for: part.minimum, at: now.wall)
                    && !knowsTurn(part, wait?.patience, now) && !(wait != nil && isHeld(part, now)))
        }
        if isKnownFull { return .decided(refused(parts, now, patience: wait?.patience)) }
        guard parts.contains(where: { $0.state == .unread }) else {
            let isLocal = parts.contains { $0.state == .local }
            return .decided(isLocal ? decideByRule(parts, now) : admission(parts, now))
        }
        let request = Pending(parts, waiter(), at: now.steady, timeoutMicroseconds: options.timeoutMicroseconds)
        request.wait = wait
        if wait != nil { request.charges = charges }
        if waitBehindOthers(request, now) { return .waits(request) }
        for (index, part) in parts.enumerated() where part.state == .unread {
            bring(part.account, to: loop)
            part.account.waiting.append(RequestPart(request: request, index: index))
            enqueue(part.account)
        }
        return .waits(request)
    }

    private mutating func share(of charge: LimitCharge, _ now: ClockReading) -> Pending.Share {
        let account = account(charge, now)
        var state = Pending.State.unread
        if isUnderRule(account, now) {
            state = .local
        } else if ruleAfterOutage(account, now) != nil {
            account.counter.beginOutage(servers[account.server].outage, at: now.wall)
        } else {
            account.counter.endOutage()
            if !clock.isUnsure, let bucket = account.counter.spend(charge.units, at: now.wall) {
                state = .claimed(bucket)
                // Units used after their bucket are owed from now on.
                if bucket.birth == nil {
                    metrics.late += 1
                    scheduleWrite(account, now)
                }
            }
        }
        return Pending.Share(account, charge, state)
    }

    /// Handles the firing of a waiting request's timer. Returns the timer's next monotonic time; nil if the request is
    /// decided.
    mutating func expire(_ request: Pending, at now: ClockReading) -> Int? {
        let (request, now) = (request.current, read(now))
        guard request.decision == nil else { return nil }
        if request.wait?.isAsleep == true { return wakeInTime(request, now) }
        // A process that was stopped or starved must read waiting responses before it may report a time-out.
        let isLate = now.steady > request.due + Self.lateTimerMicroseconds
        if isLate { request.lateFirings += 1 }
        let isStarved = request.lateFirings > Self.maxLateFirings
        if isLate, !isStarved {
            request.begun = now.steady
            request.movedAt = now.steady
            request.lateAt = now.steady
        }
        request.due = deadline(request, now)
        if request.due > now.steady, !isStarved { return request.due }
        metrics.expired += 1
        let hanging = request.open.map { lanes[request.parts[$0].account.lane] }.filter {
            isHanging($0, request, now: now)
        }
        if !isStarved {
            // The rule decides requests that wait for these lanes. A request may still have to wait for others.
            for lane in hanging { fail(lane.server, epoch: servers[lane.server].epoch, "no response in time", at: now) }
            guard request.decision == nil else { return nil }
            request.due = deadline(request, now)
            if !hanging.isEmpty, request.due > now.steady { return request.due }
        }
        if request.former != nil, !request.parts.contains(where: { $0.state == .writing }) {
            keepFormerTurn(request, now)
            return request.due
        }
        giveUpFormerTurn(request, now)
        decide(request, refusedForNow(request.parts, now))
        return nil
    }

    /// The duration above which a call to the store counts as hanging, in microseconds.
    private var hangingMicroseconds: Int {
        2 * options.timeoutMicroseconds + min(Self.lateTimerMicroseconds, options.timeoutMicroseconds)
    }

    /// Returns whether the lane's current store call has run too long. Returns false soon after the request's timer
    /// fired late.
    private func isHanging(_ lane: Lane, _ request: Pending, now: ClockReading) -> Bool {
        if quietUntil(request) > now.steady { return false }
        return lane.callSince.map { $0 + hangingMicroseconds <= now.steady } ?? false
    }

    /// The monotonic time before which no call counts as hanging, because the request's timer fired late.
    private func quietUntil(_ request: Pending) -> Int {
        request.lateAt.map { $0 + options.timeoutMicroseconds } ?? .min
    }

    /// Returns the monotonic time at which the request's timer fires next.
    private func deadline(_ request: Pending, _ now: ClockReading) -> Int {
        let patience = options.timeoutMicroseconds / 4
        var waited = request.open.map { request.parts[$0].account.lane }
        if clock.isUnsure { waited += lanes.indices.filter(isClockReference) }
        // A lane without a call has not begun yet, which says nothing about the server.
        let hangs = waited.map { lanes[$0].callSince.map { $0 + hangingMicroseconds } ?? now.steady + patience }
        let next = max(hangs.min() ?? now.steady + patience, request.movedAt + patience, quietUntil(request))
        // The wait is at most one time-out, so that a longer stop of the process is always noticed.
        let last = max(request.begun + 4 * options.timeoutMicroseconds, request.wait?.until ?? 0)
        return min(last, next, now.steady + options.timeoutMicroseconds)
    }

    /// Settles the units that a request holds. If `used` is nil, slots are released and all other units stay counted.
    ///
    /// The use of a limit fills the units that were reserved first, and then each draw's in order. What is used beyond
    /// all of them is charged with the last ones.
    mutating func settle(_ held: [ReservedUnits], _ used: Amounts?, at now: ClockReading) {
        let now = read(now)
        corrections &+= 1
        for (index, units) in held.enumerated() {
            let account = units.account
            account.counter.heldUnits = max(0, account.counter.heldUnits - units.units)
            var own = used?[account.limit.quota.unit]
            if held.count > 1, let all = own {
                let before = held[..<index].reduce(0) { $0 + ($1.account === account ? $1.units : 0) }
                let isLast = !held[(index + 1)...].contains { $0.account === account }
                own = isLast ? max(0, all - before) : min(units.units, max(0, all - before))
            }
            account.counter.settle(units.units, used: own, in: units.bucket, at: now.wall)
            // Units that were used exactly as they were reserved change nothing in the store.
            if isShared, account.counter.needsWrite(at: now.wall) || account.counter.dueTime() != nil {
                account.hasSettled = true
            } else {
                report(budget: account, now)
            }
            scheduleWrite(account, now)
        }
    }

    // MARK: Progress of a request

    /// Queues a request for the next limit that must count it. Without such a limit, finishes the request.
    mutating func advance(_ request: Pending, _ now: ClockReading) {
        guard request.decision == nil, request.unread == 0 else { return }
        request.movedAt = now.steady
        let next = request.firstOpen
        if request.former != nil, next.map({ request.parts[$0].account.isOfSlots }) ?? true {
            giveUpFormerTurn(request, now)
        }
        guard let next else { return finish(request, now) }
        let account = request.parts[next].account
        if account.isOfSlots, request.wait != nil { rejoin(RequestPart(request: request, index: next)) }
        enqueue(account)
    }

    /// Begins to count a request in its limits after their records were read. Refuses the request if it has several
    /// limits and one of them is full.
    mutating func begin(_ request: Pending, _ now: ClockReading) {
        let isFull = request.parts.contains {
            $0.state == .seen && !(request.wait != nil && $0.account.isOfSlots)
                && !$0.account.counter.hasRoom(for: $0.minimum, at: now.wall)
        }
        guard request.parts.count > 1, isFull else { return advance(request, now) }
        if waitBehind(request, now) { return }
        if postpone(request, now) { advance(request, now) } else { refuse(request, now) }
    }

    /// Decides about a request when none of its limits waits for the store. Units whose bucket ended too long ago are
    /// first counted again, for which the request may have to wait.
    mutating func finish(_ request: Pending, _ now: ClockReading) {
        guard request.decision == nil else { return }
        if request.wait?.turnAt != nil {
            request.wait?.moves = 0
            return sleep(request, now)
        }
        // The time at which the units are used is unknown until the store's clock is verified.
        if clock.isUnsure, request.parts.contains(where: \.isTaken) { return undecided.append(request) }
        for index in request.parts.indices {
            guard case .claimed(let bucket) = request.parts[index].state else { continue }
            let (account, units) = (request.parts[index].account, request.parts[index].units)
            if !clock.isUnsure, let present = account.counter.use(units, in: bucket, at: now.wall) {
                guard present != bucket else { continue }
                metrics.late += 1
                request.parts[index].state = .claimed(present)
                scheduleWrite(account, now)
            } else if isUnderRule(account, now) {
                metrics.late += 1
                giveBack(units, bucket, account: account, now: now)
                request.parts[index].state = .local
            } else {
                metrics.late += 1
                request.parts[index].state = .late(bucket)
                account.waiting.append(RequestPart(request: request, index: index))
                enqueue(account)
            }
        }
        if request.firstOpen != nil { return }
        if request.parts.contains(where: { $0.state == .local }) {
            decide(request, decideByRule(request.parts, now))
        } else {
            decide(request, admission(request, now))
        }
    }

    /// Refuses a request without room, unless running requests may give back enough while it may wait.
    mutating func refuse(_ request: Pending, _ now: ClockReading) {
        if request.decision != nil || waitForRunning(request, now) { return }
        decide(request, refused(request.parts, now, patience: request.wait?.patience))
    }

    mutating func decide(_ request: Pending, _ decision: Decision) {
        request.decision = decision
        if request.wait != nil { endWait(request, decision) }
        outbox.decided.append(request)
    }

    mutating func giveBackSelected(_ parts: [Pending.Share], _ now: ClockReading) {
        for part in parts {
            switch part.state {
            case .claimed(let bucket), .late(let bucket), .turn(let bucket):
                giveBack(part.units, bucket, account: part.account, now: now)
            case .unread, .seen, .writing, .local: break
            }
        }
    }

    mutating func giveBack(_ units: Int, _ bucket: BucketIndex, account: Account, now: ClockReading) {
        account.counter.giveBack(units, in: bucket, at: now.wall)
        scheduleWrite(account, now)
    }
}

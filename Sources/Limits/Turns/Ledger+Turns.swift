/// The turns of requests that wait until their limits have room for them. A turn is counted in a future bucket before it
/// is used, so that no later request takes its room.
extension Ledger {
    /// The number of times that a limit may move a turn which another limit has counted, before the request is refused,
    /// or no longer moves up. Crowds of requests with several limits race for room, so that a few are not enough.
    static let maxMoves = 32
    /// The number of times that the search for a turn goes through the limits of a request.
    private static let maxSteps = 4

    // MARK: Taking turns

    /// Returns whether this instance knows a turn for a request within its patience.
    func knowsTurn(_ part: Pending.Share, _ patience: LimitPatience?, _ now: ClockReading) -> Bool {
        guard let patience else { return false }
        // Nobody knows when a slot becomes free.
        return part.account.isOfSlots
            || part.turn(in: now.wall...now.wall + patience.microseconds, at: now.wall) != nil
    }

    /// Returns the times at which the turn of a request can be; nil if the request cannot wait any longer.
    private func span(_ wait: TurnWait, _ now: ClockReading) -> ClosedRange<Int>? {
        let (first, last) = (max(now.wall, wait.turnAt ?? 0), now.wall + wait.until - now.steady)
        return first <= last ? first...last : nil
    }

    /// Returns whether the request may wait for a turn. It then is one of the waiting requests.
    mutating func mayWait(_ request: Pending) -> Bool {
        guard let wait = request.wait else { return false }
        if wait.isCounted { return true }
        guard turns.hasRoom(for: wait.patience.caller, options.maxWaiting) else {
            request.wait?.patience = wait.patience.withoutPlace
            return false
        }
        turns.add(wait.patience.caller)
        request.wait?.isCounted = true
        return true
    }

    /// Returns the earliest time of `span` at which the limits with a window have room for a request, in place of its turn
    /// if it sleeps; nil if there is none.
    func turn(_ request: Pending, in span: ClosedRange<Int>, _ now: ClockReading) -> Int? {
        let sleeps = request.wait?.isAsleep == true
        var time = span.lowerBound
        for _ in 0...Self.maxSteps {
            var next = time
            for part in request.parts where !part.account.isOfSlots {
                switch part.state {
                case .seen, .late, .local:
                    guard let turn = part.turn(in: time...span.upperBound, at: now.wall) else { return nil }
                    next = max(next, turn)
                case .claimed(let bucket) where sleeps && part.account.successor == nil:
                    guard let turn = part.turn(besides: bucket, in: time...span.upperBound, at: now.wall)
                    else { return nil }
                    next = max(next, turn)
                case .unread, .turn, .writing, .claimed: break
                }
            }
            if next == time { return time }
            guard next <= span.upperBound else { return nil }
            time = next
        }
        return nil
    }

    /// Looks for a turn of a request with several limits, whose records have all been read. Returns false if there is
    /// none.
    mutating func postpone(_ request: Pending, _ now: ClockReading) -> Bool {
        guard mayWait(request), let wait = request.wait, let span = span(wait, now),
            let turn = turn(request, in: span, now)
        else { return false }
        if turn > now.wall { request.wait?.turnAt = turn }
        return turn > now.wall
    }

    /// Counts a request in a future bucket of the planned write's record, because it cannot be admitted now. Returns
    /// false if there is no turn within its patience.
    mutating func takeTurn(_ part: inout RequestPart, _ rule: OutageRule?, _ now: ClockReading) -> Bool {
        let share = part.request.parts[part.index]
        guard rule == nil, mayWait(part.request), let wait = part.request.wait, let span = span(wait, now),
            let bucket = share.account.counter.takeTurn(share.minimum, in: span, at: now.wall)
        else { return false }
        part.units = share.minimum
        part.turn = bucket
        countTurn(part)
        return true
    }

    /// Handles a write in the bucket `written` that counted a request in `bucket` of one limit, or moved it there. The
    /// request's other limits must count it in their buckets of the same time. A turn in a later bucket than the write is
    /// used after another read only, even if the response to the write comes when that bucket has begun.
    mutating func took(_ bucket: BucketIndex, _ part: RequestPart, written: Int, _ now: ClockReading) {
        let (request, limit) = (part.request, part.request.parts[part.index].account.limit)
        let start = limit.layout.start(of: bucket.number)
        let turn = [request.wait?.turnAt, bucket.number > written ? start : nil].compactMap(\.self).max()
        if let turn {
            if request.wait?.turnAt != turn || request.wait?.kind == nil { request.wait?.kind = limit.kind }
            request.wait?.turnAt = turn
            if request.wait?.isOver == true { metrics.count(.moved) }
            request.wait?.isOver = false
        }
        var isMoved = false
        for index in request.parts.indices where index != part.index {
            let share = request.parts[index]
            guard case .claimed(let other) = share.state, other != .nowhere || share.account.isOfSlots else { continue }
            if share.account.isOfSlots {
                if turn == nil { continue }
                giveBack(share.units, other, account: share.account, now: now)
                request.parts[index].state = .seen
            } else if share.isBefore(turn, other) || share.isAfter(turn ?? now.wall, other, at: now.wall) {
                request.parts[index].state = .late(other)
                share.account.waiting.append(RequestPart(request: request, index: index))
                isMoved = true
            }
        }
        if isMoved { request.wait?.moves += 1 }
        if let moves = request.wait?.moves, moves > Self.maxMoves {
            decide(request, refusedForNow(request.parts, now))
        }
    }

    // MARK: Sleeping

    /// Lets a request wait for its turn, without any call to the store.
    mutating func sleep(_ request: Pending, _ now: ClockReading) {
        guard let turn = request.wait?.turnAt else { return }
        for part in request.parts { part.account.waiting.removeAll { $0.request === request } }
        request.wait?.isAsleep = true
        request.due = dueTime(turn, now)
        for part in request.parts where part.isTurn {
            let account = part.account
            let later = account.sleepers.firstIndex { ($0.wait?.turnAt ?? 0) > turn }
            account.sleepers.insert(request, at: later ?? account.sleepers.count)
            if isShared, schedule(account, now) { outbox.lanes.append(account.lane) }
        }
    }

    /// Returns the monotonic time at which the timer of a sleeping request fires: with a store after the lane, which reads
    /// the record once for all turns of a bucket.
    private func dueTime(_ turn: Int, _ now: ClockReading) -> Int {
        now.steady + max(0, turn - now.wall) + (isShared ? Self.lateTimerMicroseconds : 0)
    }

    /// Ends the sleep of the account's requests whose turn has come, and begins a look for slots if it is time for one.
    mutating func wakeSleepers(_ account: Account, _ now: ClockReading) {
        while let request = account.sleepers.first, let turn = request.wait?.turnAt, turn <= now.wall {
            account.sleepers.removeFirst()
            wake(request, now)
        }
        account.isLooking = account.looks && account.lookAt <= now.wall
    }

    mutating func endSleep(_ request: Pending) {
        guard request.wait?.isAsleep == true else { return }
        forgetTurns(request)
        if request.wait?.turnAt == nil { leaveQueue(request) }
        for part in request.parts { part.account.sleepers.removeAll { $0 === request } }
        request.wait?.isAsleep = false
        request.wait?.isCalled = false
        request.wait?.isForRunning = false
        request.wait?.isRecalled = false
        request.wait?.turnAt = nil
    }

    /// Lets the records of a request be read once more before it uses its turn. Where a server is unavailable, the turn
    /// holds if this instance's copy counts it.
    mutating func wake(_ request: Pending, _ now: ClockReading) {
        endSleep(request)
        request.resume(at: now.steady)
        request.wait?.moves = 0
        for index in request.parts.indices {
            let account = request.parts[index].account
            switch request.parts[index].state {
            case .claimed(let bucket) where bucket != .nowhere: request.parts[index].state = .turn(bucket)
            case .seen: request.parts[index].state = .unread
            default: continue
            }
            request.unread += 1
            let part = RequestPart(request: request, index: index)
            if isUnderRule(account, now) {
                makeLocal(part, now)
            } else {
                account.waiting.append(part)
                enqueue(account)
            }
        }
        if request.unread == 0 { begin(request, now) }
    }

    /// Handles the firing of a sleeping request's timer. Returns the timer's next monotonic time; nil if the request is
    /// decided.
    mutating func wakeInTime(_ request: Pending, _ now: ClockReading) -> Int? {
        guard let wait = request.wait else { return nil }
        if wait.isCalled {
            lookAgain(request, now)
        } else if wait.turnAt == nil {
            return waitOn(request, wait.until, now)
        } else if let turn = wait.turnAt, turn <= now.wall {
            if isShared { wake(request, now) } else { wakeInMemory(request, now) }
        } else if now.steady > wait.until + Self.probeMicroseconds {
            // The clock was set back, so that the turn is too far away.
            endSleep(request)
            decide(request, refusedForNow(request.parts, now))
        }
        if request.decision != nil { return nil }
        request.due = request.wait?.turnAt.map { dueTime($0, now) } ?? now.steady + options.timeoutMicroseconds
        return request.due
    }

    /// Handles a read of a record that a waiting request needs.
    mutating func saw(_ part: RequestPart, _ now: ClockReading) {
        let share = part.request.parts[part.index]
        guard case .turn(let bucket) = share.state else {
            part.request.parts[part.index].state = .seen
            return
        }
        // Late use, charges and joined copies can have filled the record since the turn was counted.
        let isKept = share.account.counter.keepsTurn(share.units, in: bucket, at: now.wall)
        if !isKept { part.request.wait?.isOver = true }
        part.request.parts[part.index].state = isKept ? .claimed(bucket) : .late(bucket)
    }

    /// Forgets that a record which was reset counts the turn of a request.
    func forgetTurn(_ request: Pending, _ account: Account) {
        for index in request.parts.indices where request.parts[index].account === account {
            guard case .claimed(let bucket) = request.parts[index].state else { continue }
            let lost = BucketIndex(number: bucket.number, birth: bucket.birth.map(~))
            request.parts[index].state = .claimed(lost)
        }
    }
}

extension Pending.Share {
    /// Whether the account keeps the request while it sleeps until its turn.
    var isTurn: Bool { !account.isOfSlots && isTaken && account.successor == nil }

    /// The bucket in which the limit counts the request; nil if it does not.
    var bucket: BucketIndex? {
        switch state {
        case .claimed(let bucket), .late(let bucket): bucket == .nowhere ? nil : bucket
        case .unread, .seen, .writing, .turn, .local: nil
        }
    }

    /// Whether the limit must move the request if its turn moves up to this time.
    func follows(_ turn: Int, _ now: ClockReading) -> Bool {
        !account.isOfSlots && bucket.map { isAfter(turn, $0, at: now.wall) } ?? false
    }

    fileprivate func turn(besides bucket: BucketIndex? = nil, in span: ClosedRange<Int>, at time: Int) -> Int? {
        account.counter.turn(bucket == nil ? minimum : units, besides: bucket, in: span, at: time)
    }

    /// Whether a bucket ends before the turn.
    fileprivate func isBefore(_ turn: Int?, _ bucket: BucketIndex) -> Bool {
        turn.map { account.limit.layout.end(of: bucket.number) <= $0 } ?? false
    }

    /// Whether a bucket that has not come begins after the turn.
    fileprivate func isAfter(_ turn: Int, _ bucket: BucketIndex, at time: Int) -> Bool {
        account.limit.layout.start(of: bucket.number) > turn
            && (account.counter as? WindowCounter)?.isAhead(bucket, at: time) == true
    }
}

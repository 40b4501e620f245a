/// Turns that come earlier than promised, because clients left, running requests gave back what they did not use, or an
/// operator has reset a limit.
extension Ledger {
    /// The most turns for which one write looks for an earlier bucket.
    private static let maxLooks = 64

    /// Moves turns to the earliest time at which all their limits have room, in their order, after one of the limits has
    /// more. The planned write moves them in its record; the other limits follow. Returns the requests of that write, which
    /// no longer sleep. Without a store, decides about the requests at once.
    mutating func takeEarlierTurns(_ account: Account, _ rule: OutageRule?, _ now: ClockReading) -> [RequestPart] {
        guard rule == nil, let last = account.sleepers.last?.wait?.turnAt, !isShared || !clock.isUnsure,
            let counter = account.counter as? WindowCounter
        else { return [] }
        var takers: [RequestPart] = []
        var looks = 0
        var free = counter.freeTurn(before: last, at: now.wall)
        for request in account.sleepers {
            guard let first = free, looks < Self.maxLooks else { break }
            guard let turn = request.wait?.turnAt, turn > first else { continue }
            looks += 1
            guard let earlier = self.turn(request, in: now.wall...turn - 1, now) else { continue }
            if isShared {
                guard let part = take(request, account, counter, in: earlier...turn - 1, now) else { continue }
                takers.append(part)
            } else {
                decideAnew(request, now)
            }
            free = counter.freeTurn(before: last, at: now.wall)
        }
        for part in takers {
            let wait = part.request.wait
            endSleep(part.request)
            for index in wait?.turns ?? [] { countTurn(RequestPart(request: part.request, index: index)) }
            part.request.resume(at: now.steady)
            if part.former != nil, let turn = wait?.turnAt { part.request.former = Pending.FormerTurn(time: turn) }
            part.request.parts[part.index].state = .writing
            part.request.due = now.steady + options.timeoutMicroseconds
            outbox.retimed.append(part.request)
        }
        return takers
    }

    /// Moves a turn in the record of a planned write. Its former bucket stays counted if other limits must follow, because
    /// they may have less room than this instance knows.
    private func take(
        _ request: Pending,
        _ account: Account,
        _ counter: WindowCounter,
        in span: ClosedRange<Int>,
        _ now: ClockReading
    ) -> RequestPart? {
        guard let index = request.parts.firstIndex(where: { $0.account === account }),
            let bucket = request.parts[index].bucket,
            request.parts.allSatisfy({ ruleNow($0.account, now) == nil })
        else { return nil }
        let isFollowing = request.former != nil
        let keepsFormer =
            isFollowing || request.parts.contains { $0.account !== account && $0.follows(span.lowerBound, now) }
        if keepsFormer, !isFollowing, !mayMove(request, now) { return nil }
        var part = RequestPart(request: request, index: index)
        part.units = request.parts[index].units
        part.turn = counter.moveTurn(part.units, from: bucket, to: span, keepsFormer: keepsFormer, at: now.wall)
        if keepsFormer { part.former = bucket } else { part.from = bucket }
        return part.turn == nil ? nil : part
    }

    /// Returns whether all limits of a request can move its turn one by one before it comes. Each try costs writes.
    private func mayMove(_ request: Pending, _ now: ClockReading) -> Bool {
        guard let wait = request.wait, let turn = wait.turnAt else { return false }
        return wait.moves < Self.maxMoves && turn - now.wall > options.timeoutMicroseconds
    }

    /// Moves a turn in the planned write to the time to which another limit has moved it. Without room the former turn
    /// stays. Returns false if the request does not move to an earlier turn.
    mutating func follow(_ part: RequestPart, _ takers: inout [RequestPart], _ now: ClockReading) -> Bool {
        let (request, account) = (part.request, part.request.parts[part.index].account)
        guard request.former != nil, let counter = account.counter as? WindowCounter else { return false }
        let time = max(now.wall, request.wait?.turnAt ?? 0)
        if let part = take(request, account, counter, in: time...time, now) {
            request.parts[part.index].state = .writing
            takers.append(part)
        } else {
            keepFormerTurn(request, now)
        }
        return true
    }

    /// Lets a request sleep until its former turn, because not all its limits have room for the earlier one.
    mutating func keepFormerTurn(_ request: Pending, _ now: ClockReading) {
        guard let former = request.former.take() else { return }
        for index in request.parts.indices {
            if case .late(let bucket) = request.parts[index].state { request.parts[index].state = .claimed(bucket) }
        }
        for (index, bucket) in former.buckets {
            let part = request.parts[index]
            request.parts[index].state = .claimed(bucket)
            if case .claimed(let earlier) = part.state {
                giveBack(part.units, earlier, account: part.account, now: now)
            }
        }
        request.wait?.turnAt = former.time
        sleep(request, now)
    }

    /// Gives back the former turn of a request whose limits all count an earlier one, or that no longer waits.
    mutating func giveUpFormerTurn(_ request: Pending, _ now: ClockReading) {
        guard let former = request.former.take() else { return }
        for (index, bucket) in former.buckets {
            giveBack(request.parts[index].units, bucket, account: request.parts[index].account, now: now)
        }
    }

    /// Decides again about a request that sleeps in this process, without a store: it has an earlier turn, or has lost its own.
    mutating func decideAnew(_ request: Pending, _ now: ClockReading) {
        guard request.wait?.isAsleep == true else { return }
        endSleep(request)
        for index in request.parts.indices {
            let part = request.parts[index]
            if case .claimed(let bucket) = part.state {
                part.account.counter.giveBack(part.units, in: bucket, at: now.wall)
            }
            request.parts[index].units = part.minimum
            request.parts[index].state = .local
        }
        outbox.retimed.append(request)
        decideOrSleep(request, now)
    }
}

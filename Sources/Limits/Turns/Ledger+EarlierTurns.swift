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
            let turns = part.request.wait?.turns ?? []
            endSleep(part.request)
            for index in turns { countTurn(RequestPart(request: part.request, index: index)) }
            part.request.resume(at: now.steady)
            part.request.wait?.moves = 0
            part.request.parts[part.index].state = .writing
            part.request.due = now.steady + options.timeoutMicroseconds
            outbox.retimed.append(part.request)
        }
        return takers
    }

    /// Moves a turn in the record of a planned write.
    private func take(
        _ request: Pending,
        _ account: Account,
        _ counter: WindowCounter,
        in span: ClosedRange<Int>,
        _ now: ClockReading
    ) -> RequestPart? {
        guard let index = request.parts.firstIndex(where: { $0.account === account }),
            case .claimed(let bucket) = request.parts[index].state,
            request.parts.allSatisfy({ ruleNow($0.account, now) == nil })
        else { return nil }
        var part = RequestPart(request: request, index: index)
        part.units = request.parts[index].units
        part.turn = counter.moveTurn(part.units, from: bucket, to: span, at: now.wall)
        part.from = bucket
        return part.turn == nil ? nil : part
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

/// Turns that come earlier than promised, because clients left or running requests gave back what they did not use.
extension Ledger {
    /// The most turns for which one write looks for an earlier bucket.
    private static let maxLooks = 64

    /// Moves turns to earlier buckets of the planned write's record, or of the record without a store, in their order. Turns
    /// in several limits stay, because all of them would have to move. Returns the requests, which no longer sleep.
    mutating func takeEarlierTurns(_ account: Account, _ rule: OutageRule?, _ now: ClockReading) -> [RequestPart] {
        guard rule == nil, let last = account.sleepers.last?.wait?.turnAt, !isShared || !clock.isUnsure,
            let counter = account.counter as? WindowCounter
        else { return [] }
        var takers: [RequestPart] = []
        var looks = 0
        var free = counter.freeTurn(before: last, at: now.wall)
        for request in account.sleepers {
            guard let first = free, looks < Self.maxLooks else { break }
            guard let turn = request.wait?.turnAt, turn > first, let index = request.onlyWindow,
                case .claimed(let bucket) = request.parts[index].state
            else { continue }
            looks += 1
            var part = RequestPart(request: request, index: index)
            part.units = request.parts[index].units
            guard let earlier = counter.moveTurn(part.units, from: bucket, at: now.wall) else { continue }
            free = counter.freeTurn(before: last, at: now.wall)
            (part.turn, part.from) = (earlier, bucket)
            takers.append(part)
        }
        for part in takers {
            endSleep(part.request)
            part.request.resume(at: now.steady)
            part.request.parts[part.index].state = .writing
            part.request.due = now.steady + options.timeoutMicroseconds
            outbox.retimed.append(part.request)
        }
        return takers
    }

    /// Moves turns that are counted in this process, without a store.
    mutating func moveTurnsInMemory(_ account: Account, _ now: ClockReading) {
        for part in takeEarlierTurns(account, nil, now) {
            guard let turn = part.turn else { continue }
            part.request.parts[part.index].state = .claimed(turn)
            part.request.wait?.turnAt = max(now.wall, account.limit.layout.start(of: turn.number))
            sleep(part.request, now)
        }
    }
}

extension Pending {
    /// The index in `parts` of the only limit with a window; nil if the request has several.
    fileprivate var onlyWindow: Int? {
        let windows = parts.indices.filter { !parts[$0].account.isOfSlots && parts[$0].account.successor == nil }
        return windows.count == 1 ? windows[0] : nil
    }
}

/// The admission and the refusal of requests. A decision covers all limits of a request.
extension Ledger {
    mutating func decideInMemory(_ charges: [LimitCharge], _ now: ClockReading) -> Decision {
        if charges.count == 1 {
            let account = account(charges[0], now)
            let part = Pending.Share(account, charges[0], .local)
            guard account.counter.hasRoom(for: part.minimum, at: now.wall) else { return refused([part], now) }
            let units = part.units(ofFree: account.counter.standing(by: nil, at: now.wall).remaining)
            let bucket = account.counter.charge(units, at: now.wall)
            var decision = Decision(.admitted)
            let standing = account.counter.standing(by: nil, at: now.wall)
            decision.record(standing)
            if account.limit.quota.unit.isHeld {
                account.counter.heldUnits += units
                let free = standing.remaining
                decision.held = [ReservedUnits(account: account, units: units, bucket: bucket, free: free)]
            }
            metrics.count(.admitted, account.limit.kind)
            return decision
        }
        return decideByRule(charges.map { Pending.Share(account($0, now), $0, .local) }, now)
    }

    /// Decides about a request without the store, by the counters of this process. The request counts in all its limits
    /// or in none.
    /// - Parameter parts: the limits of the request. Only limits that must be decided without the store (state `local`)
    ///   are decided now.
    mutating func decideByRule(_ parts: [Pending.Share], _ now: ClockReading) -> Decision {
        if isShared {
            metrics.byRule += 1
            if parts.contains(where: { rule(of: $0.account) == .deny }) {
                for part in parts where part.state == .local { metrics.count(.storeDown, part.account.limit.kind) }
                giveBackSelected(parts, now)
                return describe(Decision(.storeDown), parts, now: now)
            }
        }
        let isFull = parts.contains { part in
            guard part.state == .local else { return false }
            if !isShared { return !part.account.counter.hasRoom(for: part.minimum, at: now.wall) }
            return !part.account.counter.hasRoom(for: part.minimum, by: outageRule(part.account, now), at: now.wall)
        }
        if isFull { return refused(parts, now) }
        var parts = parts
        for index in parts.indices where parts[index].state == .local && parts[index].account.successor == nil {
            let account = parts[index].account
            let rule = isShared ? outageRule(account, now) : nil
            let units = parts[index].units(ofFree: account.counter.standing(by: rule, at: now.wall).remaining)
            parts[index].units = units
            parts[index].state = .claimed(account.counter.charge(units, at: now.wall))
            scheduleWrite(account, now)
        }
        return admission(parts, now)
    }

    mutating func admission(_ parts: [Pending.Share], _ now: ClockReading) -> Decision {
        var decision = describe(Decision(.admitted), parts, now: now)
        for part in parts where part.account.successor == nil {
            // A request of zero units only reads.
            if part.units > 0 { metrics.count(.admitted, part.account.limit.kind) }
            guard part.account.limit.quota.unit.isHeld, case .claimed(let bucket) = part.state else { continue }
            part.account.counter.heldUnits += part.units
            if isShared, part.account.limit.quota.isBudget { scheduleWrite(part.account, now) }
            let free =
                part.account.limit.quota.unit.isKnownLate
                ? part.account.counter.standing(by: ruleNow(part.account, now), at: now.wall).remaining : 0
            decision.held.append(
                ReservedUnits(account: part.account, units: part.units, bucket: bucket, free: free)
            )
        }
        return decision
    }

    private func describe(_ decision: Decision, _ parts: [Pending.Share], now: ClockReading) -> Decision {
        var decision = decision
        for part in parts where part.account.successor == nil {
            // Without a check of the limits, nothing is used up.
            let rule = decision.isUnchecked ? nil : ruleNow(part.account, now)
            decision.record(part.account.counter.standing(by: rule, at: now.wall))
        }
        return decision
    }

    /// Refuses a request that could not be counted in the store in time, and refunds its units.
    mutating func refusedForNow(_ parts: [Pending.Share], _ now: ClockReading) -> Decision {
        giveBackSelected(parts, now)
        let open = parts.filter { !$0.isTaken }
        let full = open.first { !$0.account.counter.hasRoom(for: $0.minimum, at: now.wall) }
        let part = full ?? open.first { $0.state != .local } ?? parts.first { $0.state != .local } ?? parts[0]
        let refusal = Decision.Refusal(
            limit: part.account.limit,
            requested: part.minimum,
            retryAfterMicroseconds: 1_000_000
        )
        metrics.count(.refused, refusal.limit.kind)
        return describe(Decision(.refused(refusal)), parts, now: now)
    }

    /// The time after which a request is tried again if running requests hold the units that it needs.
    private static let heldMicroseconds = 1_000_000
    /// The longest wait that old clients obey, in microseconds.
    private static let obeyedMicroseconds = 60_000_000
    /// The time by which two readings of the clocks may differ.
    private static let clocksMicroseconds = 1_000

    /// Returns whether running requests hold what a limit lacks for a request. They give back what they do not use.
    func isHeld(_ part: Pending.Share, _ now: ClockReading) -> Bool {
        guard part.account.limit.quota.unit.isKnownLate else { return false }
        let held = part.account.heldUnits(at: now.wall)
        return held > 0 && part.account.counter.standing(by: nil, at: now.wall).remaining + held >= part.minimum
    }

    /// Returns the microseconds after which a request can have a turn within its patience; at most `known`, after which a
    /// limit has room for it.
    private static func wait(
        _ known: Int,
        with patience: LimitPatience,
        _ part: Pending.Share,
        _ now: ClockReading
    ) -> Int {
        let account = part.account
        // A turn begins with a bucket.
        let horizon = now.wall + known + 2 * account.limit.layout.windowMicroseconds
        let turn = account.counter.turn(part.minimum, besides: nil, in: now.wall...horizon, at: now.wall) ?? horizon
        let rest = max(0, turn - now.wall - patience.microseconds)
        return min(known, rest + clocksMicroseconds, rest <= obeyedMicroseconds ? obeyedMicroseconds : .max)
    }

    /// Refuses a request and refunds the units that were counted for it. The refusal of a request with patience
    /// says when it can have a turn.
    mutating func refused(
        _ parts: [Pending.Share],
        _ now: ClockReading,
        patience: LimitPatience? = nil
    ) -> Decision {
        var (worst, returning): (Decision.Refusal?, Pending.Share?)
        var (longest, lacksPart) = (0, false)
        for part in parts where !part.isTaken {
            let account = part.account
            let isLocal = isShared && part.state == .local
            let rule = isLocal ? outageRule(account, now) : isShared ? ruleAfterOutage(account, now) : nil
            guard let refusal = account.counter.refusal(of: part.minimum, by: rule, at: now.wall) else { continue }
            if refusal.wait != nil { account.fullAt = now.steady }
            // A refusal that was decided from memory does not prolong that memory.
            if refusal.wait != nil, part.state != .unread, now.steady >= account.remembersFrom {
                account.refusedUntil = max(account.refusedUntil, now.steady + refusal.memory)
            }
            var wait = refusal.wait
            let remaining = account.counter.standing(by: rule, at: now.wall).remaining
            let held = account.limit.quota.unit.isKnownLate ? account.heldUnits(at: now.wall) : 0
            let isHeld = held > 0 && remaining + held >= part.minimum
            if !isHeld, wait != nil, !isLocal, !refusal.lacksPart {
                report(budget: account, left: remaining + held, now)
            }
            if isHeld { wait = wait.map { min($0, Self.heldMicroseconds) } }
            if let patience, account.limit.canBeWaitedFor, let known = wait {
                longest = max(longest, known)
                wait = Self.wait(known, with: patience, part, now)
            }
            if worst.map({ ($0.retryAfterMicroseconds ?? .max) < (wait ?? .max) }) ?? true {
                returning = isHeld || isLocal ? nil : part
                lacksPart = refusal.lacksPart
                worst = Decision.Refusal(
                    limit: account.limit,
                    requested: part.minimum,
                    retryAfterMicroseconds: wait,
                    isHeld: isHeld,
                    remaining: remaining
                )
            }
        }
        if let wait = worst?.retryAfterMicroseconds.map({ $0 > Self.clocksMicroseconds ? $0 : max($0, longest) }) {
            // Of limits that each have a turn within the patience, not all have one at the same time.
            worst?.retryAfterMicroseconds = returning?.returnTime(after: wait, patience, at: now.wall) ?? wait
        }
        giveBackSelected(parts, now)
        // A bucket may have become free since the write that found no room.
        let (limit, needed) = (parts[0].account.limit, parts[0].minimum)
        let refusal = worst ?? Decision.Refusal(limit: limit, requested: needed, retryAfterMicroseconds: 1_000)
        metrics.count(lacksPart ? .storeDown : .refused, refusal.limit.kind)
        return describe(Decision(lacksPart ? .storeDown : .refused(refusal)), parts, now: now)
    }
}

extension Pending.Share {
    /// Returns the microseconds after which the request should return: at least `wait`.
    fileprivate func returnTime(after wait: Int, _ patience: LimitPatience?, at time: Int) -> Int {
        account.counter.returnTime(of: minimum, after: wait, patience: patience?.microseconds ?? 0, at: time)
    }
}

/// The reading and writing of records in the store.
extension Ledger {
    /// The time after the last successful call from which a connection might be lost, in microseconds.
    private static let silenceMicroseconds = 10_000_000
    /// The time after another instance's write from which a record can be written without a read, in microseconds.
    /// Contended records can be written so at once.
    private static let othersMicroseconds = 60_000_000
    /// The time after which an account looks again at requests that leave room for an earlier one, in microseconds.
    private static let yieldMicroseconds = 1_000

    /// Prepares a write of the account's record over the version that this instance knows, without a read. Returns
    /// false if the record must be read first.
    mutating func useKnownVersion(_ account: Account, lane: Int, epoch: Int, at now: ClockReading) -> Bool {
        let isLeft = account.othersAt.map { now.steady - $0 > Self.othersMicroseconds } ?? true
        let isTried = account.isOurs && isLeft || Self.isContended(account, roundTrip: lanes[lane].roundTrip, now)
        guard isTried, !account.isCompared, !account.isLooking, let known = account.known,
            lanes[lane].connectedEpoch == epoch,
            now.steady - lanes[lane].heardAt < Self.silenceMicroseconds, ruleNow(account, now) == nil
        else { return false }
        account.counter.lateness = lateness(account)
        var units = 0
        for part in account.waiting where part.request.decision == nil {
            let more = part.request.parts[part.index].minimum
            if case .turn = part.request.parts[part.index].state { return false }
            if more == 0 { return false }  // a request that only looks, so nothing is written
            units += more
        }
        guard units == 0 || account.counter.hasRoom(for: units, at: now.wall) else { return false }
        account.fresh = .kept(known)
        saw(account, now)
        return true
    }

    /// Updates the account's counter with its record from the store, and continues the waiting requests.
    mutating func absorb(_ found: FoundRecord, _ account: Account, epoch: Int, at now: ClockReading) {
        guard servers[account.server].epoch == epoch else { return }
        if case .absent = found, awaitsCopy(account, now) {
            account.fresh = .nothing
            return
        }
        let birth = random.next()
        let known = account.known.take()
        let isCompared = account.isCompared
        account.isOurs = false
        account.isCompared = false
        account.looked(at: now.wall)
        if case .record(_, let version, _) = found, known?.number != version.number {
            account.othersAt = now.steady
            if isCompared { changed(account, now) }
        }
        account.counter.lateness = lateness(account)
        switch found {
        case .absent:
            account.fresh = .absent
            account.counter.absorb(nil, version: 0, mark: 0, birth: birth, isAhead: false, at: now.wall)
        case .broken(let version, let reason):
            account.fresh = .version(version)
            account.counter.absorb(nil, version: 0, mark: 0, birth: birth, isAhead: false, at: now.wall)
            outbox.events.append(.brokenRecord(key: account.storeKey, reason: reason))
        case .ahead(let record, let version):
            account.fresh = .version(version)
            let number = version.number
            account.counter.absorb(record, version: number, mark: 0, birth: birth, isAhead: true, at: now.wall)
            outbox.events.append(.recordAhead(key: account.storeKey))
        case .record(let record, let version, let mark):
            account.fresh = .version(version)
            account.known = version
            account.isOurs = known == version
            let number = version.number
            account.counter.absorb(record, version: number, mark: mark, birth: birth, isAhead: false, at: now.wall)
        }
        if account === living?.account { sawLiving(now) }
        if let next = account.successor?.counter as? WindowCounter, let former = account.counter as? WindowCounter {
            account.successor?.former = nil
            next.join(former.record)
        }
        saw(account, now)
    }

    /// Marks the limit of this account as read in the requests that wait for its record. Begins to count requests whose
    /// records have all been read.
    private mutating func saw(_ account: Account, _ now: ClockReading) {
        let unread = account.waiting.filter(\.isUnread)
        for part in unread { saw(part, now) }
        account.waiting.removeAll { $0.request.parts[$0.index].isTaken }
        for part in unread {
            part.request.unread -= 1
            if part.request.unread == 0 { begin(part.request, now) }
        }
    }

    /// Plans a write of the account's record that counts the waiting requests. Returns nil if there is nothing to
    /// write.
    mutating func plan(_ account: Account, epoch: Int, at now: ClockReading) -> WritePlan? {
        guard servers[account.server].epoch == epoch else { return nil }
        if case .nothing = account.fresh { return nil }
        let rule = ruleAfterOutage(account, now)
        var (takers, refused, rest): ([RequestPart], [RequestPart], [RequestPart]) = ([], [], [])
        delayIfUseUnknown(account, now)
        let isTaking = account.notBefore <= now.steady
        account.counter.beginDraft(isTaking: isTaking && account.waiting.contains(where: \.isNext), at: now.wall)
        if isTaking {
            takers = account.isOfSlots ? takeSlots(account, rule, now) : takeEarlierTurns(account, rule, now)
            if !account.behind.isEmpty { callHeld(account, now) }
        }
        var kept = 0
        for part in account.waiting where part.request.decision == nil {
            guard isTaking, isNext(part, besides: &kept, rule, now) else {
                rest.append(part)
                continue
            }
            if follow(part, &takers, now) { continue }
            var part = part
            let share = part.request.parts[part.index]
            part.from = share.bucket
            if let bucket = part.from { account.counter.remove(share.units, from: bucket) }
            part.request.parts[part.index].state = .writing
            part.units = share.units(ofFree: account.counter.freeInDraft(by: rule, at: now.wall))
            let isNow = part.request.wait?.turnAt == nil && account.slotQueue.isEmpty
            let isAdmitted = isNow && account.counter.admit(part.units, by: rule, at: now.wall)
            if !isAdmitted, part.from == nil, rule == nil, waitBehind(part.request, now) { continue }
            if isAdmitted || takeTurn(&part, rule, now) {
                takers.append(part)
            } else if !waitForSlot(part, rule, now) {
                refused.append(part)
            }
        }
        account.waiting = rest
        // Requests that leave room for an earlier one look again soon: the lane must not go round until that is counted.
        if isTaking, rest.contains(where: \.isNext) { account.notBefore = now.steady + Self.yieldMicroseconds }
        guard account.counter.isDraftChanged else {
            account.counter.dropDraft()
            // No unit is counted, so nothing is written.
            for part in takers { count(part, in: .nowhere, now) }
            for part in refused { refuse(part.request, now) }
            return nil
        }
        let leasing = rule == nil && stopBy == nil ? leaseConditions(account, now) : nil
        lastMark &+= 1
        let draft = account.counter.commitDraft(leasing: leasing, at: now.wall)
        let plan = WritePlan(
            account,
            expirySeconds: expirySeconds(account.limit) + draft.0.secondsToLastTurn,
            draft: draft,
            takers: takers,
            refused: refused,
            mark: lastMark
        )
        account.fresh = .nothing
        account.writing = plan
        return plan
    }

    private func leaseConditions(_ account: Account, _ now: ClockReading) -> LeaseConditions {
        let roundTrip = lanes[account.lane].roundTrip
        return LeaseConditions(
            isContended: Self.isContended(account, roundTrip: roundTrip, now),
            isSlow: Self.isSlow(roundTrip),
            instances: max(1, instancesSeen)
        )
    }

    /// Returns the seconds for which the store keeps a limit's record after a write.
    func expirySeconds(_ limit: Limit) -> Int { limit.expirySeconds(slotMicroseconds: options.slotMicroseconds) }

    mutating func wrote(_ plan: WritePlan, _ result: WriteResult, at now: ClockReading) {
        let account = plan.account
        guard account.writing === plan else { return }  // already handled by `fail`
        account.writing = nil
        switch result {
        case .written(let version):
            metrics.writes += 1
            account.known = version
            account.losses = 0
            account.counter.written(version: version.number, at: now.wall)
            account.looked(at: now.wall)
            changed(account, now)
            // Reservations say nothing about the use.
            if account.hasSettled { report(budget: account, now) }
            account.hasSettled = false
            for part in plan.takers { count(part, in: plan.bucket, now) }
            spendLease(account, now)
            for part in plan.refused where part.request.decision == nil {
                part.request.parts[part.index].state = .seen
                refuse(part.request, now)
            }
            if account === living?.account { sawLiving(now) }
            if account === shareRecord?.account { wroteShare(now) }
        case .lost:
            account.counter.notWritten()
            account.waiting = restored(plan, now) + account.waiting
            account.known = nil
            account.othersAt = now.steady
            if case .kept = plan.fresh { return }  // no race: the record is read now
            metrics.lostRaces += 1
            account.losses += 1
            // Slow calls are spread out anyway, and the lane's next round would begin without the account.
            if account.losses > 2, !Self.isSlow(lanes[account.lane].roundTrip) {
                let pause = Int(random.next() % UInt64(1_000 * min(account.losses, 20)))
                account.notBefore = now.steady + pause
            }
            refuseAfterLostRace(account, now)
        case .refused:
            metrics.refusedWrites += 1
            account.counter.notWritten()
            useRule(for: account, restored(plan, now) + account.waiting, now)
        }
    }

    /// Lets the rule for outages decide about these requests, and about the account's next ones for a second.
    mutating func useRule(for account: Account, _ parts: [RequestPart], _ now: ClockReading) {
        account.ruleUntil = now.steady + Self.probeMicroseconds
        account.notBefore = account.ruleUntil
        let parts = parts + endQueue(account, now)
        account.waiting = []
        for part in parts { makeLocal(part, now) }
        for part in parts { advance(part.request, now) }
    }

    /// Counts the account's waiting requests in its lease, as far as the lease's units suffice. Called after a write of
    /// the record.
    private mutating func spendLease(_ account: Account, _ now: ClockReading) {
        guard !clock.isUnsure, ruleNow(account, now) == nil else { return }
        var spent: [Pending] = []
        account.waiting.removeAll { part in
            guard part.request.decision == nil, part.request.parts[part.index].state == .unread,
                let bucket = account.counter.spend(part.request.parts[part.index].units, at: now.wall)
            else { return false }
            if bucket.birth == nil { metrics.late += 1 }
            part.request.parts[part.index].state = .claimed(bucket)
            part.request.unread -= 1
            if part.request.unread == 0 { spent.append(part.request) }
            return true
        }
        for request in spent { begin(request, now) }
    }

    /// Returns the undecided requests of a write that certainly did not happen. The write counted none of them.
    private mutating func restored(_ plan: WritePlan, _ now: ClockReading) -> [RequestPart] {
        var parts: [RequestPart] = []
        for part in plan.takers + plan.refused {
            let share = part.request.parts[part.index]
            if part.request.decision == nil {
                part.request.parts[part.index].state = (part.from ?? part.former).map { .late($0) } ?? .seen
                if part.request.former?.buckets.isEmpty == true {
                    // The next write looks for the earliest time of all limits.
                    keepFormerTurn(part.request, now)
                } else {
                    parts.append(RequestPart(request: part.request, index: part.index))
                }
            } else if let bucket = part.from ?? part.former {
                giveBack(share.units, bucket, account: share.account, now: now)
            }
        }
        return parts
    }

    /// Records that a successful write counted a request in one limit. Refunds the units if the request was already
    /// decided.
    private mutating func count(_ part: RequestPart, in bucket: BucketIndex, _ now: ClockReading) {
        guard part.request.decision == nil else {  // decided without the store meanwhile
            let account = part.request.parts[part.index].account
            for bucket in [part.turn ?? bucket, part.former].compactMap(\.self) {
                giveBack(part.units, bucket, account: account, now: now)
            }
            return
        }
        if let former = part.former { part.request.former?.buckets.append((part.index, former)) }
        part.request.parts[part.index].units = part.units
        part.request.parts[part.index].state = .claimed(part.turn ?? bucket)
        let isMoved = part.from != nil && part.request.wait != nil && !part.request.parts[part.index].account.isOfSlots
        if part.turn != nil || isMoved { took(part.turn ?? bucket, part, written: bucket.number, now) }
        advance(part.request, now)
    }

    mutating func makeLocal(_ part: RequestPart, _ now: ClockReading) {
        let share = part.request.parts[part.index]
        guard part.request.decision == nil else {
            if let former = part.former { giveBack(part.units, former, account: share.account, now: now) }
            return
        }
        switch share.state {
        case .local: return
        case .unread: part.request.unread -= 1
        case .turn(let bucket) where share.account.counter.keepsTurn(share.units, in: bucket, at: now.wall):
            part.request.unread -= 1
            part.request.parts[part.index].state = .claimed(bucket)
            return
        case .turn(let bucket):
            part.request.unread -= 1
            giveBack(share.units, bucket, account: share.account, now: now)
        case .late(let bucket), .claimed(let bucket):
            giveBack(share.units, bucket, account: share.account, now: now)
        case .seen, .writing:
            if let former = part.former { giveBack(part.units, former, account: share.account, now: now) }
        }
        part.request.parts[part.index].state = .local
    }
}

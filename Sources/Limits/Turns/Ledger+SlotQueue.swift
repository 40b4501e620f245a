/// The requests that wait for a slot. An instance serves its requests in their order; of several instances, the one whose
/// first request has waited longest takes a free slot.
extension Ledger {
    // MARK: Waiting

    /// Lets a request wait until the limit of slots `part` has a free one. Returns false if the request may not wait.
    mutating func waitForSlot(_ part: RequestPart, _ rule: OutageRule?, _ now: ClockReading) -> Bool {
        let (request, account) = (part.request, part.request.parts[part.index].account)
        guard account.isOfSlots, rule == nil, mayWait(request), let wait = request.wait, now.steady < wait.until
        else { return false }
        if isShared { request.parts[part.index].state = .seen }
        // A slot of another limit would be unused meanwhile.
        for index in request.parts.indices where request.parts[index].account.isOfSlots {
            let other = request.parts[index]
            guard case .claimed(let bucket) = other.state else { continue }
            request.parts[index].state = .seen
            giveBack(other.units, bucket, account: other.account, now: now)
        }
        request.wait?.slotSince = wait.slotSince ?? now.wall
        request.wait?.kind = wait.kind ?? account.limit.kind
        account.queue(request)
        return true
    }

    /// Lets a request that needs nothing but a slot wait behind the requests that wait for one already. Returns false if
    /// there are none.
    mutating func waitBehindOthers(_ request: Pending, _ now: ClockReading) -> Bool {
        guard request.parts.count == 1, request.unread == 1, !request.parts[0].account.slotQueue.isEmpty else {
            return false
        }
        request.unread = 0
        let waits = waitForSlot(RequestPart(request: request, index: 0), nil, now)
        if !waits { request.unread = 1 }
        return waits
    }

    /// Puts a request that left the requests of a limit of slots, because it waited for another limit, among them again.
    func rejoin(_ part: RequestPart) {
        let share = part.request.parts[part.index]
        let isThere = { (other: RequestPart) in other.request === part.request }
        if share.state == .seen, !share.account.waiting.contains(where: isThere) { share.account.waiting.append(part) }
    }

    /// Handles the firing of the timer of a request that waits without a turn. Returns the timer's next monotonic time; nil
    /// if the request is decided.
    mutating func waitOn(_ request: Pending, _ until: Int, _ now: ClockReading) -> Int? {
        let isHeld = request.wait?.isForRunning == true
        if isHeld, !isShared || request.parts.contains(where: { isUnderRule($0.account, now) }) {
            lookAgain(request, now)
            if request.decision != nil { return nil }
            if isShared { request.due = now.steady + options.timeoutMicroseconds }
            return request.due
        }
        if now.steady < until {
            request.due = isHeld ? min(until, now.steady + Account.unitMicroseconds) : until
            return request.due
        }
        decide(request, isHeld ? refused(request.parts, now) : refusedForNow(request.parts, now))
        return nil
    }

    /// Removes a request from the requests that wait for a slot, or behind turns.
    mutating func leaveQueue(_ request: Pending) {
        for part in request.parts { part.account.behind.removeAll { $0 === request } }
        for part in request.parts where part.account.isOfSlots {
            let account = part.account
            guard let index = account.slotQueue.firstIndex(where: { $0 === request }) else { continue }
            account.slotQueue.remove(at: index)
            account.updateWaiting()
            // Other instances need not leave slots to this one any longer.
            if isShared, account.slotQueue.isEmpty { enqueue(account) }
        }
    }

    /// Returns the requests that wait for a slot of a limit that is decided without the store from now on.
    func endQueue(_ account: Account, _ now: ClockReading) -> [RequestPart] {
        let parts = account.slotQueue.compactMap { account.part(of: $0) }
        for part in parts { part.request.resume(at: now.steady) }
        account.slotQueue = []
        account.isLooking = false
        account.updateWaiting()
        return parts
    }

    // MARK: Taking slots

    /// Counts requests that wait for a slot in the planned write, as far as slots are free and not left to other
    /// instances. Returns these requests.
    func takeSlots(_ account: Account, _ rule: OutageRule?, _ now: ClockReading) -> [RequestPart] {
        let isBack = { (part: RequestPart) in
            part.isNext && !part.request.hasSlot
                && part.request.wait.map { $0.slotSince != nil && $0.isCounted } ?? false
        }
        for part in account.waiting where isBack(part) { account.queue(part.request) }
        account.waiting.removeAll(where: isBack)
        var takers: [RequestPart] = []
        while let request = account.slotQueue.first, var part = account.part(of: request) {
            part.units = request.parts[part.index].minimum
            guard account.counter.admit(part.units, by: rule, at: now.wall) else { break }
            request.resume(at: now.steady)
            request.parts[part.index].state = .writing
            takers.append(part)
            account.slotQueue.removeFirst()
            account.updateWaiting()
        }
        return takers
    }

    /// Decides about the requests that wait for a slot without a store, as far as slots are free.
    mutating func serveQueue(_ account: Account, _ now: ClockReading) {
        while let request = account.slotQueue.first, let part = account.part(of: request),
            account.counter.hasRoom(for: request.parts[part.index].minimum, at: now.wall)
        {
            account.slotQueue.removeFirst()
            request.resume(at: now.steady)
            decideOrSleep(request, now)
        }
    }
}

extension Pending {
    /// Whether the request holds a slot, which it gives back before it waits for one of another limit.
    fileprivate var hasSlot: Bool { parts.contains { $0.account.isOfSlots && $0.isTaken } }
}

extension Account {
    /// The time between two looks for what other instances have given back, in microseconds: for slots, and for units whose
    /// use is known late.
    static let (slotMicroseconds, unitMicroseconds) = (100_000, 1_000_000)

    /// Records that the record was read or written, so that the next look is later.
    func looked(at time: Int) {
        isLooking = false
        lookAt = time + (isOfSlots ? Self.slotMicroseconds : Self.unitMicroseconds)
    }

    /// Adds a request to those that wait for a slot, behind those that have waited longer.
    fileprivate func queue(_ request: Pending) {
        request.wait?.isAsleep = true
        request.due = request.wait?.until ?? request.due
        let since = request.wait?.slotSince ?? 0
        let earlier = slotQueue.lastIndex { ($0.wait?.slotSince ?? 0) <= since }
        slotQueue.insert(request, at: earlier.map { $0 + 1 } ?? 0)
        updateWaiting()
    }

    /// Sets the time since which the first request waits in the counter.
    fileprivate func updateWaiting() { (counter as? SlotCounter)?.wait(since: slotQueue.first?.wait?.slotSince) }

    /// Returns the part of the request for this limit.
    fileprivate func part(of request: Pending) -> RequestPart? {
        request.parts.firstIndex { $0.account === self }.map { RequestPart(request: request, index: $0) }
    }
}

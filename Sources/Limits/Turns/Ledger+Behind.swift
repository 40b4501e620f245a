/// Requests that wait without a turn.
///
/// Fairness in limits of several callers: the requests of one caller have turns in a part of the limit only. Its others wait
/// behind these, in their order, so that they take no turn before those of other callers.
///
/// Requests that are kept out by what running requests have reserved wait until these give it back.
extension Ledger {
    /// The part of a limit in which the turns of one caller can be at one instance.
    private static let turnPart = 20

    /// Lets a request wait behind the turns of its caller, if these are its part of a limit of several callers already.
    /// Returns false if the request may take a turn, or may not wait.
    mutating func waitBehind(_ request: Pending, _ now: ClockReading) -> Bool {
        guard let wait = request.wait, wait.turnAt == nil, now.steady < wait.until else { return false }
        let caller = wait.patience.caller
        let isOver = { (part: Pending.Share) in
            guard part.account.limit.isOfSeveralCallers, let turns = part.account.turns[caller] else { return false }
            return turns + part.minimum > part.account.limit.quota.count / Self.turnPart
        }
        guard let full = request.parts.first(where: isOver), request.parts.allSatisfy(\.state.isSettled),
            mayWait(request)
        else { return false }
        sleep(request, behind: full.account, now)
        return true
    }

    /// Lets a request wait until running requests give back what they do not use. Returns false if they do not hold
    /// enough, if another limit has no room in time, or if the request may not wait.
    mutating func waitForRunning(_ request: Pending, _ now: ClockReading) -> Bool {
        guard let wait = request.wait, now.steady < wait.until, request.parts.allSatisfy(\.state.isSettled) else {
            return false
        }
        let full = request.parts.filter { !$0.isTaken && !$0.account.counter.hasRoom(for: $0.minimum, at: now.wall) }
        guard let held = full.first(where: { isHeld($0, now) }),
            full.allSatisfy({ isHeld($0, now) || knowsTurn($0, wait.patience, now) }),
            request.parts.allSatisfy({ ruleNow($0.account, now) == nil }), mayWait(request)
        else { return false }
        forgetTurns(request)
        request.wait?.turnAt = nil
        request.wait?.isForRunning = true
        sleep(request, behind: held.account, now)
        if isShared, schedule(held.account, now) { outbox.lanes.append(held.account.lane) }
        return true
    }

    /// Lets the requests that wait for running ones look again that have room now, or that these no longer keep out.
    mutating func callHeld(_ account: Account, _ now: ClockReading) {
        var units = 0
        for request in account.behind where request.wait?.isForRunning == true {
            guard let part = request.parts.first(where: { $0.account === account }) else { continue }
            if account.counter.hasRoom(for: units + part.minimum, at: now.wall) {
                if isShared { units += part.minimum }
            } else if isHeld(part, now) {
                continue
            }
            request.due = now.steady + options.timeoutMicroseconds
            outbox.retimed.append(request)
            lookAgain(request, now)
            if isShared { putFirst(request) }
        }
    }

    /// Puts a request that waited for running ones before others that wait to be counted, so that newer ones do not take
    /// what it was called for.
    private func putFirst(_ request: Pending) {
        request.wait?.isRecalled = true
        for account in request.parts.map(\.account) {
            guard let index = account.waiting.firstIndex(where: { $0.request === request }) else { continue }
            let part = account.waiting.remove(at: index)
            let later = account.waiting.firstIndex { $0.request.wait?.isRecalled != true }
            account.waiting.insert(part, at: later ?? account.waiting.count)
        }
    }

    /// Returns whether a planned write can count a request now. It leaves room for requests that come first, but must
    /// be read or counted by another limit before.
    /// - Parameter kept: the room that it leaves for those before this request.
    func isNext(_ part: RequestPart, besides kept: inout Int, _ rule: OutageRule?, _ now: ClockReading) -> Bool {
        let share = part.request.parts[part.index]
        if part.request.wait?.isRecalled == true {
            if !part.isNext { kept += share.minimum }
            return part.isNext
        }
        return part.isNext
            && (kept == 0 || share.account.counter.freeInDraft(by: rule, at: now.wall) - kept >= share.minimum)
    }

    /// Lets a request wait among those `behind`, without any units.
    private mutating func sleep(_ request: Pending, behind account: Account, _ now: ClockReading) {
        guard let wait = request.wait else { return }
        for index in request.parts.indices {
            let part = request.parts[index]
            part.account.waiting.removeAll { $0.request === request }
            if case .claimed(let bucket) = part.state {
                giveBack(part.units, bucket, account: part.account, now: now)
            }
            request.parts[index].state = isShared ? .seen : .local
        }
        request.wait?.kind = wait.kind ?? account.limit.kind
        request.wait?.isAsleep = true
        request.wait?.isCalled = false
        request.wait?.isRecalled = false
        // Without a store, and while it fails, nothing else looks for room that comes with time.
        request.due = wait.isForRunning ? min(wait.until, now.steady + Account.unitMicroseconds) : wait.until
        let later = account.behind.firstIndex { ($0.wait?.since ?? 0) > wait.since }
        account.behind.insert(request, at: later ?? account.behind.count)
    }

    /// Counts a turn that a request takes in a limit of several callers.
    func countTurn(_ part: RequestPart) {
        let (request, share) = (part.request, part.request.parts[part.index])
        guard share.account.limit.isOfSeveralCallers, let wait = request.wait, !wait.turns.contains(part.index) else {
            return
        }
        request.wait?.turns.append(part.index)
        share.account.turns[wait.patience.caller, default: 0] += share.minimum
    }

    /// Forgets the turns of a request: they are used or given back.
    func forgetTurns(_ request: Pending) {
        guard let wait = request.wait, !wait.turns.isEmpty else { return }
        request.wait?.turns = []
        for index in wait.turns {
            let share = request.parts[index]
            let rest = share.account.turns[wait.patience.caller, default: 0] - share.minimum
            share.account.turns[wait.patience.caller] = rest > 0 ? rest : nil
        }
    }

    /// Calls the next request of a caller to look for a turn, after one of its requests was decided. Its timer does that,
    /// because many can follow each other.
    mutating func callNext(after request: Pending, of caller: Identity) {
        for part in request.parts where !part.account.behind.isEmpty {
            let isNext = { (other: Pending) in
                other.wait.map { $0.patience.caller == caller && !$0.isCalled && !$0.isForRunning } ?? false
            }
            guard let next = part.account.behind.first(where: isNext) else { continue }
            next.wait?.isCalled = true
            outbox.retimed.append(next)
        }
    }

    /// Lets a request that was called look for a turn.
    mutating func lookAgain(_ request: Pending, _ now: ClockReading) {
        if isShared { return wake(request, now) }
        endSleep(request)
        decideOrSleep(request, now)
    }
}

extension Pending.State {
    /// Whether no read and no write of the limit's record is expected for the request, but the present one.
    fileprivate var isSettled: Bool {
        switch self {
        case .seen, .writing, .claimed, .local: true
        case .unread, .late, .turn: false
        }
    }
}

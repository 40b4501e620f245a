/// Fairness in limits of several callers: the requests of one caller have turns in a part of the limit only. Its others wait
/// behind these, in their order, so that they take no turn before those of other callers.
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
        for index in request.parts.indices {
            let part = request.parts[index]
            part.account.waiting.removeAll { $0.request === request }
            if case .claimed(let bucket) = part.state {
                giveBack(part.units, bucket, account: part.account, now: now)
            }
            request.parts[index].state = isShared ? .seen : .local
        }
        request.wait?.kind = wait.kind ?? full.account.limit.kind
        request.wait?.isAsleep = true
        request.wait?.isCalled = false
        request.due = wait.until
        let later = full.account.behind.firstIndex { ($0.wait?.since ?? 0) > wait.since }
        full.account.behind.insert(request, at: later ?? full.account.behind.count)
        return true
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
            let isNext = { (other: Pending) in other.wait.map { $0.patience.caller == caller && !$0.isCalled } ?? false
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

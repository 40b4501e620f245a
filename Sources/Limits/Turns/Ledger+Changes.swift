/// Requests that wait while the settings of their limits change.
extension Ledger {
    /// Decides anew about waiting requests, in the order of their arrival: all give back their turns before the first one
    /// gets another. Turns in records of unavailable servers stay if the request still needs these, because such servers
    /// give no others.
    /// - Parameter requests: each with what it needs of its limits now, and the index of its event loop.
    mutating func change(_ requests: [(request: Pending, charges: [LimitCharge], loop: Int)], at now: ClockReading) {
        let now = read(now)
        let waiting = requests.map { ($0.request.current, $0.charges, $0.loop) }
            .filter { request, charges, _ in
                request.decision == nil
                    && !(isShared && request.parts.contains { isUnderRule($0.account, now) }
                        && charges.contains { isUnderRule(account($0, now), now) })
            }
            .sorted { ($0.0.wait?.since ?? 0) < ($1.0.wait?.since ?? 0) }
        // The first of them may be admitted by what the others give back.
        for (request, _, _) in waiting { endSleep(request) }
        for (request, _, _) in waiting {
            giveUp(request, now)
            // A refusal by the former number says nothing.
            for part in request.parts { part.account.refusedUntil = 0 }
        }
        for (request, charges, loop) in waiting {
            switch ask(charges, request.wait?.beginning, from: loop, read: now, { request.waiter }) {
            case .waits(let next):
                request.decision = Decision(.ending)
                request.successor = next
                outbox.retimed.append(next)
            case .decided(let decision):
                request.charges = charges
                if !isShared, !decision.isAdmitted, let wait = request.wait {
                    // The wait has ended, and is counted, in `ask`.
                    request.wait = nil
                    callNext(after: request, of: wait.patience.caller)
                }
                decide(request, decision.isAdmitted ? admission(request, decision, now) : decision)
            }
        }
    }
}

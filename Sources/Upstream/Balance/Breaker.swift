import Engine

/// The failures in a row of one candidate. After some of them the breaker is open: the candidate is asked last, until one
/// request has tried it. All event loops share a breaker, so their readings of the clock come in any order.
struct Breaker {
    /// The times of the failures that still count, at most as many as open it.
    private var failures: [LoopTime] = []
    /// The time at which a request may try the candidate again; nil if the breaker is closed.
    private var openUntil: LoopTime?
    /// The time until which the request that tries the candidate holds up others.
    private var trialEndsAt = LoopTime.distantPast
    /// The time until which the candidate said that it can serve nothing.
    private var restsUntil = LoopTime.distantPast

    /// The longest that a trial without an outcome holds others up.
    private static let trialNanoseconds: UInt64 = 60_000_000_000

    func isOpen(at now: LoopTime) -> Bool {
        openUntil.map { now < $0 || now < trialEndsAt } ?? false || now < restsUntil
    }

    /// The time at which a request may try the candidate again; nil if the breaker is closed.
    func openEnd(at now: LoopTime) -> LoopTime? {
        guard isOpen(at: now) else { return nil }
        return max(openUntil ?? .distantPast, restsUntil)
    }

    mutating func rest(at now: LoopTime, seconds: Int) {
        restsUntil = now.adding(seconds: seconds)
        trialEndsAt = .distantPast
    }

    /// The candidate is asked.
    mutating func tryOnce(at now: LoopTime) {
        if let openUntil, now >= openUntil { trialEndsAt = now + Self.trialNanoseconds }
    }

    mutating func endTrial() { trialEndsAt = .distantPast }

    /// - Parameters:
    ///   - bound: failures that open it.
    ///   - nanoseconds: the time within which they count, and for which it is open then.
    mutating func failed(at now: LoopTime, bound: Int, within nanoseconds: UInt64) {
        if let until = openUntil {
            // Failures of calls that were made before it opened say nothing new.
            if now >= until { openUntil = now + nanoseconds }
            trialEndsAt = .distantPast
            return
        }
        failures.removeAll { now.nanoseconds(since: $0) > nanoseconds }
        failures.append(now)
        if failures.count >= bound { openUntil = now + nanoseconds }
    }
}

/// Failures in a row of one candidate, in nanoseconds of the loops' clock. After some it is open: the candidate is
/// asked last, until one request has tried it.
struct Breaker {
    /// The times of the failures that still count, at most as many as open it.
    private var failures: [UInt64] = []
    /// 0: it is closed.
    private var openUntil: UInt64 = 0
    /// While the candidate is tried.
    private var trialEndsAt: UInt64 = 0
    /// The candidate said that it can serve nothing until then.
    private var restsUntil: UInt64 = 0

    /// The longest that a trial without an outcome holds others up.
    private static let trialNanoseconds: UInt64 = 60_000_000_000

    func isOpen(at now: UInt64) -> Bool {
        openUntil > 0 && (now < openUntil || now < trialEndsAt) || now < restsUntil
    }

    mutating func rest(at now: UInt64, nanoseconds: UInt64) {
        restsUntil = now + nanoseconds
        trialEndsAt = 0
    }

    /// The candidate is asked.
    mutating func tryOnce(at now: UInt64) {
        if openUntil > 0, now >= openUntil { trialEndsAt = now + Self.trialNanoseconds }
    }

    mutating func endTrial() { trialEndsAt = 0 }

    /// - Parameters:
    ///   - bound: failures that open it.
    ///   - nanoseconds: the time within which they count, and for which it is open then.
    mutating func failed(at now: UInt64, bound: Int, within nanoseconds: UInt64) {
        if openUntil > 0 {
            // Failures of calls that were made before it opened say nothing new.
            if now >= openUntil { openUntil = now + nanoseconds }
            trialEndsAt = 0
            return
        }
        failures.removeAll { now - $0 > nanoseconds }
        failures.append(now)
        if failures.count >= bound { openUntil = now + nanoseconds }
    }
}

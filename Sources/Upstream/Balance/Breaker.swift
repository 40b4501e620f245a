import Engine

/// The circuit breaker of one candidate. Consecutive failures open it: the candidate is then called last, until one
/// request has tried it. All event loops share a breaker, so their clock readings arrive in any order.
struct Breaker {
    /// The times of the failures that still count, at most as many as open it.
    private var failures: [LoopTime] = []
    /// The time at which a request may try the candidate again; nil if failures have not opened the breaker.
    private var openUntil: LoopTime?
    /// The time until which a trial keeps other requests from the candidate.
    private var trialEndsAt = LoopTime.distantPast
    /// The time until which the vendor says that the model cannot serve any call.
    private var cooldownUntil = LoopTime.distantPast

    /// The longest time for which a trial without an outcome keeps other requests from the candidate.
    private static let trialNanoseconds: UInt64 = 60_000_000_000

    func isOpen(at now: LoopTime) -> Bool {
        openUntil.map { now < $0 || now < trialEndsAt } ?? false || now < cooldownUntil
    }

    /// Whether the breaker has opened and no request was served since: it is open or half-open.
    func isTripped(at now: LoopTime) -> Bool { openUntil != nil || now < cooldownUntil }

    /// Returns the time at which a request may try the candidate again; nil if the breaker is closed.
    func openEnd(at now: LoopTime) -> LoopTime? {
        guard isOpen(at: now) else { return nil }
        return max(openUntil ?? .distantPast, cooldownUntil)
    }

    mutating func rest(at now: LoopTime, seconds: Int) {
        cooldownUntil = now.adding(seconds: seconds)
        trialEndsAt = .distantPast
    }

    /// Records a call: the first one after the breaker's time is the trial.
    mutating func tryOnce(at now: LoopTime) {
        if let openUntil, now >= openUntil { trialEndsAt = now + Self.trialNanoseconds }
    }

    mutating func endTrial() { trialEndsAt = .distantPast }

    /// Records a failure, which may open the breaker.
    ///
    /// - Parameters:
    ///   - bound: the number of failures that open the breaker.
    ///   - nanoseconds: the time within which failures count, and for which the breaker then stays open.
    mutating func failed(at now: LoopTime, bound: Int, within nanoseconds: UInt64) {
        if let until = openUntil {
            // A call that began before the breaker opened may fail later. Such a failure does not extend the time.
            if now >= until { openUntil = now + nanoseconds }
            trialEndsAt = .distantPast
            return
        }
        failures.removeAll { now.nanoseconds(since: $0) > nanoseconds }
        failures.append(now)
        if failures.count >= bound { openUntil = now + nanoseconds }
    }
}

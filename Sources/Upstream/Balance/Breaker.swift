import Engine

/// The circuit breaker of one candidate. Several failures in a row open it.
struct Breaker {
    /// The times of the recent failures that count towards opening the circuit breaker.
    private var failures: [LoopTime] = []
    /// The time from which the circuit breaker is half-open; nil if failures have not opened it.
    private var openUntil: LoopTime?
    /// The time until which a trial call keeps other requests from the candidate; in the past without a trial call.
    private var trialEndsAt = LoopTime.distantPast
    /// The end of the cooldown of the provider's model; in the past if the model has no cooldown.
    private var cooldownUntil = LoopTime.distantPast

    /// The longest time for which a trial call keeps other requests from the candidate, in nanoseconds.
    private static let trialNanoseconds: UInt64 = 60_000_000_000

    func isOpen(at now: LoopTime) -> Bool {
        openUntil.map { now < $0 || now < trialEndsAt } ?? false || now < cooldownUntil
    }

    /// Returns whether the circuit breaker is open or half-open.
    func isTripped(at now: LoopTime) -> Bool { openUntil != nil || now < cooldownUntil }

    /// Returns the time at which the circuit breaker lets requests call the candidate again; nil if they may call it
    /// now.
    func openEnd(at now: LoopTime) -> LoopTime? {
        guard isOpen(at: now) else { return nil }
        guard let openUntil else { return cooldownUntil }
        return max(now < openUntil ? openUntil : trialEndsAt, cooldownUntil)
    }

    mutating func rest(at now: LoopTime, seconds: Int) {
        cooldownUntil = now.adding(seconds: seconds)
        trialEndsAt = .distantPast
    }

    /// Records that a call begins. The call becomes the trial call if the circuit breaker is half-open.
    mutating func tryOnce(at now: LoopTime) {
        if let openUntil, now >= openUntil { trialEndsAt = now + Self.trialNanoseconds }
    }

    mutating func endTrial() { trialEndsAt = .distantPast }

    /// Records a failure and opens the circuit breaker after `bound` failures.
    /// - Parameter nanoseconds: how long a failure counts and an opened circuit breaker stays open.
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

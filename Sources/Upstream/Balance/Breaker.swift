import Engine

/// The circuit breaker of one candidate. Several failures in a row open it. While it is open, requests call the
/// candidate only after all others.
struct Breaker {
    /// The times of the recent failures that count towards opening the circuit breaker.
    private var failures: [LoopTime] = []
    /// The time at which a request may try the candidate again; nil if failures have not opened the circuit breaker.
    private var openUntil: LoopTime?
    /// The time until which a trial call keeps other requests from the candidate. A trial call is the one call that a
    /// half-open circuit breaker lets through.
    private var trialEndsAt = LoopTime.distantPast
    /// The time until which the model cannot serve any call, as the vendor reported; in the past if the vendor reported
    /// no such time.
    private var cooldownUntil = LoopTime.distantPast

    /// The longest time for which a trial call keeps other requests from the candidate if its outcome is not reported,
    /// in nanoseconds.
    private static let trialNanoseconds: UInt64 = 60_000_000_000

    func isOpen(at now: LoopTime) -> Bool {
        openUntil.map { now < $0 || now < trialEndsAt } ?? false || now < cooldownUntil
    }

    /// Returns whether the circuit breaker is open or half-open: it has opened, and the candidate has served no request
    /// since then.
    func isTripped(at now: LoopTime) -> Bool { openUntil != nil || now < cooldownUntil }

    /// Returns the time at which a request may try the candidate again; nil if the circuit breaker lets requests
    /// through now.
    func openEnd(at now: LoopTime) -> LoopTime? {
        guard isOpen(at: now) else { return nil }
        guard let openUntil else { return cooldownUntil }
        return max(now < openUntil ? openUntil : trialEndsAt, cooldownUntil)
    }

    mutating func rest(at now: LoopTime, seconds: Int) {
        cooldownUntil = now.adding(seconds: seconds)
        trialEndsAt = .distantPast
    }

    /// Records that a call begins. If the circuit breaker is half-open, the call becomes its trial call, which keeps
    /// other requests from the candidate.
    mutating func tryOnce(at now: LoopTime) {
        if let openUntil, now >= openUntil { trialEndsAt = now + Self.trialNanoseconds }
    }

    mutating func endTrial() { trialEndsAt = .distantPast }

    /// Records a failure. Opens the circuit breaker after `bound` failures within the time `nanoseconds`.
    ///
    /// - Parameters:
    ///   - bound: the number of failures that opens the circuit breaker.
    ///   - nanoseconds: the time for which a failure counts. It is also the time for which an opened circuit breaker
    ///     stays open.
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

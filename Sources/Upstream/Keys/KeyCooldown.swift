import Calls
import Engine

/// The cooldown of a key or a location, measured on the monotonic clock of the event loops.
struct KeyCooldown {
    private let rest: UpstreamError.Cooldown
    private let seconds: Int
    let endsAt: LoopTime
    private let beganAt: LoopTime
    /// The time until which the trial call keeps other calls from the key; in the past without a trial call.
    private var trialEndsAt = LoopTime.distantPast

    /// The longest time for which a trial call keeps other calls from the key, in nanoseconds.
    private static let trialNanoseconds: UInt64 = 60_000_000_000

    /// Creates a cooldown that begins now.
    ///
    /// - Parameters:
    ///   - rest: the rule for the length of the cooldown.
    ///   - last: the key's previous cooldown; nil without one, or if the key has served a call or was resumed since.
    init(_ rest: UpstreamError.Cooldown, at now: LoopTime, after last: KeyCooldown?) {
        self.rest = rest
        switch rest {
        case .fixed(let seconds), .reported(let seconds):
            self.seconds = min(max(seconds, 1), UpstreamError.maxCooldownSeconds)
        case .doubling(let first, let most):
            if let last, last.rest == rest {
                // Calls that ran at the same time fail together and count as one failure.
                seconds =
                    now < last.endsAt && last.trialEndsAt == .distantPast ? last.seconds : min(2 * last.seconds, most)
            } else {
                seconds = first
            }
        }
        beganAt = now
        endsAt = now.adding(seconds: seconds)
    }

    func began(after time: LoopTime) -> Bool { beganAt > time }

    func mayBeTried(at now: LoopTime) -> Bool { now >= endsAt && now >= trialEndsAt }

    mutating func tryOnce(at now: LoopTime) { trialEndsAt = now + Self.trialNanoseconds }

    mutating func endTrial() { trialEndsAt = .distantPast }
}

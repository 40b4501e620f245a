import Engine

/// The cooldown of a key or a location, measured on the monotonic clock of the event loops.
struct KeyCooldown {
    private let rest: UpstreamError.Cooldown
    private let seconds: Int
    let endsAt: LoopTime
    private let beganAt: LoopTime
    /// The time until which trial calls keep other calls from the key; in the past without a trial call.
    private var trialEndsAt = LoopTime.distantPast
    /// The trial calls that may run at once, those that run, and those of the round that were served. A round has as many
    /// calls as may run, and doubles their number.
    private var (allowed, running, served) = (1, 0, 0)

    /// The longest time for which a trial call keeps other calls from the key, in nanoseconds.
    private static let trialNanoseconds: UInt64 = 60_000_000_000
    /// The number of trial calls at once above which the cooldown is over.
    private static let mostTrials = 256

    /// Creates a cooldown that begins now.
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

    func mayBeTried(at now: LoopTime) -> Bool { now >= endsAt && (running < allowed || now >= trialEndsAt) }

    mutating func tryOnce(at now: LoopTime) {
        // A trial call whose end nobody reported is forgotten.
        running = now >= trialEndsAt ? 1 : running + 1
        trialEndsAt = now + Self.trialNanoseconds
    }

    mutating func endTrial() {
        running = max(0, running - 1)
        if running == 0 { trialEndsAt = .distantPast }
    }

    /// Records that a trial call was served. Returns whether the cooldown is over.
    /// - Parameter isOfCrowd: whether requests wait for the key, so that its other calls begin by rounds.
    mutating func endTrial(servedAmong isOfCrowd: Bool) -> Bool {
        guard isOfCrowd else { return true }
        endTrial()
        served += 1
        if served >= allowed { (allowed, served) = (2 * allowed, 0) }
        return allowed > Self.mostTrials
    }
}

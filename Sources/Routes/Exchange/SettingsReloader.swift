package import Engine

/// Reads the settings anew, and puts them into use.
package protocol SettingsReloader: Sendable {
    /// Called on `loop`; nil: too many wait for it.
    func reload(on loop: EventLoop) async -> ReloadOutcome?
}

package enum ReloadOutcome: Sendable {
    case reloaded
    /// The old ones stay.
    case refused([String])
    /// The same: a document could not be had.
    case unavailable(String)
}

/// Reloads that anybody asks for: one in five seconds.
final class OpenReloads: Sendable {
    static let pauseSeconds = 5
    private let last = Lock<LoopTime?>(nil)

    func mayBegin(at now: LoopTime) -> Bool {
        last.withLock { last in
            if let last, now < last.adding(seconds: Self.pauseSeconds) { return false }
            last = now
            return true
        }
    }
}

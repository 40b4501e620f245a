package import Engine

/// A service that reads the settings again and applies them.
package protocol SettingsReloader: Sendable {
    /// Reloads the settings. Must be called on `loop`.
    ///
    /// Returns nil if too many reloads are waiting or the reload takes too long.
    func reload(on loop: EventLoop) async -> ReloadOutcome?
}

package enum ReloadOutcome: Sendable {
    /// The new settings are in force, except for those in the value, which need a restart.
    case reloaded(waiting: [String])
    /// The new settings have errors, which the value lists. The old settings stay in use.
    case refused([String])
    /// A settings document could not be downloaded, for this reason. The old settings stay in use.
    case unavailable(String)
}

/// A limit for the reloads of the settings that any client may request: one in five seconds.
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

package import Engine

/// Reads the settings again and applies them.
package protocol SettingsReloader: Sendable {
    /// Reloads the settings. Called on `loop`. Returns nil if too many reloads are waiting.
    func reload(on loop: EventLoop) async -> ReloadOutcome?
}

package enum ReloadOutcome: Sendable {
    case reloaded
    /// The new settings have errors; the old ones stay in use.
    case refused([String])
    /// A settings document could not be downloaded; the old settings stay in use.
    case unavailable(String)
}

/// The limit for reloads that anybody may request: one in five seconds.
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

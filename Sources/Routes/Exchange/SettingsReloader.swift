package import Engine

/// A service that reads the settings again and applies them.
package protocol SettingsReloader: Sendable {
    /// Reloads the settings. It must be called on `loop`. Returns nil if too many reloads are waiting or the reload
    /// takes too long.
    func reload(on loop: EventLoop) async -> ReloadOutcome?
}

package enum ReloadOutcome: Sendable {
    case reloaded
    /// The new settings have errors, which the value lists. The old settings stay in use.
    case refused([String])
    /// A settings document could not be downloaded, for the reason in the value. The old settings stay in use.
    case unavailable(String)
}

/// The limit for reloads of the settings: one reload in five seconds. It applies if every client is allowed to request
/// a reload.
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

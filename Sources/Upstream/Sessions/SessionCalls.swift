import Engine

/// The running calls of agents' sessions at each key, and the choice of the key for one more call. All event loops
/// share one `SessionCalls`.
///
/// Calls that belong to no session are not counted.
final class SessionCalls: Sendable {
    /// A key of a provider.
    struct Key: Hashable {
        let provider: String
        /// The name of the key, such as `k1`; nil for a passthrough key.
        let label: String?
    }

    private struct SessionKey: Hashable {
        let session: UInt64
        let key: Key
    }

    private struct Counts {
        var all: [Key: Int] = [:]
        var ofSessions: [SessionKey: Int] = [:]

        mutating func add(_ difference: Int, _ key: Key, _ session: UInt64) {
            let (all, own) = (all[key, default: 0] + difference, SessionKey(session: session, key: key))
            self.all[key] = all > 0 ? all : nil
            let ofSession = ofSessions[own, default: 0] + difference
            ofSessions[own] = ofSession > 0 ? ofSession : nil
        }
    }

    /// The number of calls by which a session's own key must exceed the least busy key before a call leaves it.
    private static let excess = 2

    private let counts = Lock(Counts())

    /// Chooses the key for a call of a session, and counts the call there.
    /// - Parameter keys: the keys that can serve the call, the session's own key first; at least one.
    func chooseKey(_ session: UInt64, among keys: [Key]) -> ChosenSessionKey {
        let own = keys[0]
        let chosen = counts.withLock { counts in
            var chosen = own
            if counts.ofSessions[SessionKey(session: session, key: own)] != nil {
                let least = keys.min { counts.all[$0, default: 0] < counts.all[$1, default: 0] } ?? own
                let isBusy = counts.all[own, default: 0] >= counts.all[least, default: 0] + Self.excess
                chosen = isBusy ? least : own
            }
            counts.add(1, chosen, session)
            return chosen
        }
        return ChosenSessionKey(self, session, chosen)
    }

    fileprivate func begin(_ key: Key, _ session: UInt64, movedFrom reserved: Key?) {
        guard key != reserved else { return }
        counts.withLock { counts in
            if let reserved { counts.add(-1, reserved, session) }
            counts.add(1, key, session)
        }
    }

    fileprivate func end(_ key: Key, _ session: UInt64) { counts.withLock { $0.add(-1, key, session) } }
}

/// The key that was chosen for the calls of one request of a session.
final class ChosenSessionKey: OnLoop, @unchecked Sendable {
    let key: SessionCalls.Key
    private let calls: SessionCalls
    private let session: UInt64
    /// Whether a call is counted at `key` that has not begun.
    private var isReserved = true

    fileprivate init(_ calls: SessionCalls, _ session: UInt64, _ key: SessionCalls.Key) {
        self.calls = calls
        self.session = session
        self.key = key
    }

    /// Counts a call with a key, until the end of the returned capacity.
    func begin(at used: SessionCalls.Key) -> HeldCapacity {
        calls.begin(used, session, movedFrom: isReserved ? key : nil)
        isReserved = false
        return HeldCapacity { [calls, session] in calls.end(used, session) }
    }

    deinit { if isReserved { calls.end(key, session) } }
}

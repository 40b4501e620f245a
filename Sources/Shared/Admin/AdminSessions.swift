package import Engine
import Glibc
package import Limits

/// The operator's login sessions. All event loops share this object.
///
/// A logout takes effect in this process at once, and in instances that share memcached later.
package final class AdminSessions: Sendable {
    private struct State {
        var settings: AdminSettings?
        /// The signers for each password.
        var signers: [SessionSigner] = []
        var ended = EndedSessions()
    }

    private let state = Lock(State())
    /// The random session secret of this process. It is used if the settings contain no session secret.
    private let ownSecret: [UInt8]
    /// The path of the file that stores the logouts; nil if there is no data folder.
    private let file: String?

    private static let storeKey = "relay:1:admin:ended"
    /// The lifetime of the list of logouts in memcached, in seconds: memcached's maximum.
    private static let expirySeconds = 30 * 86_400

    /// Creates an object for the sessions. Reads earlier logouts from the data folder.
    /// - Parameter dataFolder: an existing folder; if nil, logouts are not saved in a file.
    package init(dataFolder: String?) {
        let random = RandomBytes()
        ownSecret = (0..<4).flatMap { _ in withUnsafeBytes(of: random.next(), Array.init) }
        file = dataFolder.map { "\($0)/admin-sessions" }
        if let list = file.flatMap(Self.list) { state.withLock { $0.ended.merge(list, at: Timestamp.now()) } }
    }

    /// Applies new settings of the admin pages; nil turns logins off. A changed user name or secret ends all sessions,
    /// a changed password those that began with it.
    package func use(_ settings: AdminSettings?) {
        state.withLock { state in
            guard settings != state.settings else { return }
            state.settings = settings
            guard let settings else {
                state.signers = []
                return
            }
            state.signers = settings.passwords.map { password in
                SessionSigner(
                    secret: settings.sessionSecret.map { Array($0.utf8) } ?? ownSecret,
                    user: settings.username,
                    password: password,
                    isViewer: password != settings.password
                )
            }
        }
    }

    // MARK: Sessions

    /// Returns the token of a new session; nil if the user name or the password is wrong, or if logins are off.
    package func logIn(user: String, password: String, random: RandomBytes) -> String? {
        let (user, password) = (Digest(of: user), Digest(of: password))
        let now = Timestamp.now()
        return state.withLock { state in
            guard let settings = state.settings else { return nil }
            // All values are always compared, so that the response time does not reveal which value is wrong.
            let (isUser, matches) = (user == Digest(of: settings.username), settings.passwords.map { $0 == password })
            guard isUser, let match = matches.firstIndex(of: true) else { return nil }
            return state.signers[match].token(
                from: max(now, state.ended.notBefore + 1),
                until: now + settings.sessionHours * 3_600_000,
                random: random
            )
        }
    }

    /// Returns the session of a token; nil if the token is invalid or the session has ended.
    package func session(of token: UnsafeRawBufferPointer) -> AdminSession? {
        let (signers, now) = (state.withLock { $0.signers }, Timestamp.now())
        guard let session = signers.lazy.compactMap({ $0.session(of: token, at: now) }).first, isOpen(session) else {
            return nil
        }
        return session
    }

    func isOpen(_ session: AdminSession) -> Bool { !state.withLock { $0.ended.contains(session) } }

    /// Ends a session in this process. Call `keep` to make the logout permanent.
    package func end(_ session: AdminSession) { state.withLock { $0.ended.add(session, at: Timestamp.now()) } }

    // MARK: What lasts

    /// Makes the logouts of this process permanent: exchanges them with the other instances and saves them in a file.
    /// The worker's thread writes the file.
    package func keep(in shared: SharedState?, on loop: EventLoop, _ worker: Worker) async {
        let own = state.withLock { $0.ended }
        if let shared, let all = try? await Self.exchange(own, in: shared, on: loop) {
            state.withLock { if $0.ended != all { $0.ended.merge(all, at: Timestamp.now()) } }
        }
        guard let file else { return }
        let list = state.withLock { $0.ended }
        worker.begin {
            var all = list
            let kept = Self.list(file)
            if let kept { all.merge(kept, at: Timestamp.now()) }
            guard all != kept ?? EndedSessions() else { return }
            _ = WholeFile.write(all.encoded(), to: file, by: "\(file).\(getpid()).new")
        }
    }

    private static func exchange(
        _ own: EndedSessions,
        in shared: SharedState,
        on loop: EventLoop
    ) async throws(StoreFailure) -> EndedSessions {
        try await shared.update(storeKey, expirySeconds: expirySeconds, on: loop) { bytes in
            let kept = bytes.flatMap { EndedSessions($0) }
            var all = kept ?? EndedSessions()
            all.merge(own, at: Timestamp.now())
            return SharedState.Change(all == kept ?? EndedSessions() ? nil : all.encoded(), all)
        }
    }

    private static func list(_ file: String) -> EndedSessions? {
        WholeFile.read(file, limitBytes: EndedSessions.encodedBound).flatMap { EndedSessions($0) }
    }
}

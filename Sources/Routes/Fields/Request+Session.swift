import Engine
import Limits
import Shared
import Upstream

extension Request {
    /// The longest name of a session that usage records keep, in bytes. A digest replaces a longer name.
    private static let sessionLimitBytes = 64

    /// The name of the agent's session for the usage record; nil if the request belongs to no session.
    var sessionName: String? {
        guard let session else { return nil }
        return session.count <= Self.sessionLimitBytes ? session.text : Digest(of: session).base64url(characters: 43)
    }

    /// Returns a hash of the caller and the session of the request; nil if the request belongs to no session.
    ///
    /// Sessions of different callers differ, whatever their names.
    func sessionHash(of caller: Caller) -> UInt64? {
        guard let session else { return nil }
        var hash = AffinityHash()
        if let identity = caller.identity { identity.digest.withBytes { hash.add($0) } }
        hash.add(session)
        return hash.value
    }
}

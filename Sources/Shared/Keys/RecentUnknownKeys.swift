package import Engine
import Limits

/// The digests of unknown keys that each address sent within the last hour.
///
/// A client sends the same placeholder key again and again, but an attacker guesses different keys. All loops share
/// this object.
package final class RecentUnknownKeys: Sendable {
    private let seen = Lock(RecentTable<Digest, LoopTime>())
    private let bound: Int
    private static let lifeNanoseconds: UInt64 = 3_600_000_000_000

    package init(bound: Int = 16_384) { self.bound = bound }

    /// Records that an address sent an unknown key. Returns true unless the address already sent this key in the last
    /// hour.
    package func isNew(_ bearer: Digest, from address: String, at now: LoopTime) -> Bool {
        let key = Self.key(bearer, address)
        return seen.withLock { seen in
            let last = seen.use(key)
            seen.set(key, now, atMost: bound)
            guard let last else { return true }
            return last + Self.lifeNanoseconds <= now
        }
    }

    /// Forgets that an address sent this key, so that the key counts as new again.
    package func forget(_ bearer: Digest, from address: String) {
        let key = Self.key(bearer, address)
        seen.withLock { _ = $0.remove(key) }
    }

    package var count: Int { seen.withLock { $0.count } }

    private static func key(_ bearer: Digest, _ address: String) -> Digest {
        Digest(of: "\(bearer.base64url(characters: 43)) \(address)")
    }
}

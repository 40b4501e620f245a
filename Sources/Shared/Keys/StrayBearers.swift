package import Engine
import Limits

/// Unknown bearers that addresses sent within the last hour, as digests: a client's placeholder key, which the official
/// clients cannot do without, is told by it from ever new guesses at a token. All loops share it; what is longest unused
/// goes first.
package final class StrayBearers: Sendable {
    private let seen = Lock(RecentTable<Digest, LoopTime>())
    private let bound: Int
    private static let lifeNanoseconds: UInt64 = 3_600_000_000_000

    package init(bound: Int = 16_384) { self.bound = bound }

    /// True if this address has not sent it within the last hour. Notes that it has now.
    package func isNew(_ bearer: Digest, from address: String, at now: LoopTime) -> Bool {
        let key = Self.key(bearer, address)
        return seen.withLock { seen in
            let last = seen.use(key)
            seen.set(key, now, atMost: bound)
            guard let last else { return true }
            return last + Self.lifeNanoseconds <= now
        }
    }

    /// As if it had not been sent.
    package func forget(_ bearer: Digest, from address: String) {
        let key = Self.key(bearer, address)
        seen.withLock { _ = $0.remove(key) }
    }

    package var count: Int { seen.withLock { $0.count } }

    private static func key(_ bearer: Digest, _ address: String) -> Digest {
        Digest(of: "\(bearer.base64url(characters: 43)) \(address)")
    }
}

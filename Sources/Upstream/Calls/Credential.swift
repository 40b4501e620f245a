import Engine
package import Shared

/// The key that a call is made with.
package struct Credential: Sendable {
    /// Empty: none is needed.
    package let key: String
    /// What the log calls one of the relay's own: `k1` is the first; nil: the caller's.
    package let label: String?

    /// One that the caller brought.
    package init(passedOn key: String) {
        self.key = key
        label = nil
    }

    fileprivate init(own key: String, label: String) {
        self.key = key
        self.label = label
    }

    /// Whose account at the vendor it is, as far as what is kept there is concerned.
    package var account: Digest { Digest(of: key) }

    /// Of a provider that asks for none.
    package static let none = Credential(own: "", label: "k0")
}

/// A provider's own keys, taken in turn by all loops: each as often as its weight says, and as evenly as can be.
package final class KeyRing: Sendable {
    private struct Place {
        let weight: Double
        var credit = 0.0
    }

    private let credentials: [Credential]
    private let places: Lock<[Place]>
    private let sum: Double

    /// - Parameters:
    ///   - keys: at least one.
    ///   - weights: above 0, one for each key.
    package init(_ keys: [String], weights: [Double]) {
        precondition(!keys.isEmpty && keys.count == weights.count)
        credentials = keys.enumerated().map { Credential(own: $1, label: "k\($0 + 1)") }
        places = Lock(weights.map { Place(weight: $0) })
        sum = weights.reduce(0, +)
    }

    /// The one of that account; nil: it is none of these.
    func credential(ofAccount account: UInt64) -> Credential? {
        credentials.first { $0.account.number == account }
    }

    /// Each key gains its weight in each turn, and who has most pays the sum.
    package func next() -> Credential {
        if credentials.count == 1 { return credentials[0] }
        let chosen = places.withLock { places in
            var best = 0
            for index in places.indices {
                places[index].credit += places[index].weight
                if places[index].credit > places[best].credit { best = index }
            }
            places[best].credit -= sum
            return best
        }
        return credentials[chosen]
    }
}

extension Digest {
    /// Its first eight bytes, as ids of files have them.
    var number: UInt64 { withBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) } }
}

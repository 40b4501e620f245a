package import Calls
import Engine

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

    /// The one of that account; nil: it is not among these.
    func credential(ofAccount account: UInt64) -> Credential? {
        credentials.first { $0.accountNumber == account }
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

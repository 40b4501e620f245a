import Calls
import Engine
import Glibc

/// The rule by which a key, or a provider with its keys, is chosen for a call.
struct KeyChoice {
    /// The rank of a key or provider; the lowest is chosen.
    struct Rank: Comparable {
        /// The used part of the capacity, divided by the weight; with affinity, the distance of the key from the value.
        let load: Double
        /// The calls that the key will have been chosen for after one more, divided by its weight.
        let turn: Double

        static func < (one: Rank, other: Rank) -> Bool { (one.load, one.turn) < (other.load, other.turn) }

        func over(_ weight: Double) -> Rank { Rank(load: load / weight, turn: turn / weight) }
    }

    /// The capacity limits of the provider's keys; nil if there are none.
    var capacity: Capacity?
    /// The hash of a value whose calls keep to one key; nil if there is no such value.
    var affinity: UInt64?
    var provider = ""

    /// Whether keys are chosen by turns only: there is neither an affinity value nor a capacity limit.
    var isByTurn: Bool { affinity == nil && capacity == nil }

    func rank(_ credential: Credential, _ weight: Double, _ turn: Double) -> Rank {
        if let affinity {
            let isFull = capacity?.isKnownFull(credential) ?? false
            return Rank(load: isFull ? .infinity : distance(affinity, credential), turn: 0).over(weight)
        }
        return Rank(load: (capacity?.share(of: credential) ?? 0) / weight, turn: turn)
    }

    /// Returns the distance of a key from a value: rendezvous hashing with weights. Each key has the lowest distance,
    /// divided by its weight, for a share of values that is proportional to the weight. All instances compute the same
    /// distances.
    private func distance(_ affinity: UInt64, _ credential: Credential) -> Double {
        let (first, second, _, _) = Digest(of: "\(provider)\n\(credential.key)").words
        let mixed = Self.mixed(affinity ^ first) ^ second
        // The upper 53 bits as a number above 0 and below 1.
        let unit = (Double(Self.mixed(mixed) >> 11) + 0.5) / 9_007_199_254_740_992
        return -log(unit)
    }

    /// Returns the value after the last step of SplitMix64.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

import Calls
import Engine
import Glibc

/// The way in which one of several keys, and of their providers, is chosen for a call.
struct KeyChoice {
    /// The lowest is taken first.
    struct Rank: Comparable {
        /// The part of the capacity that is in use, by weight; of calls that keep to one key, how far the key is from it.
        let load: Double
        /// The share of all calls after one more.
        let turn: Double

        static func < (one: Rank, other: Rank) -> Bool { (one.load, one.turn) < (other.load, other.turn) }

        func over(_ weight: Double) -> Rank { Rank(load: load / weight, turn: turn / weight) }
    }

    /// Nil: there is no bound.
    var capacity: Capacity?
    /// Calls of one value keep to one key; nil: there is no such value.
    var affinity: UInt64?
    var provider = ""

    /// Nothing but turns tells keys apart.
    var isByTurn: Bool { affinity == nil && capacity == nil }

    func rank(_ credential: Credential, _ weight: Double, _ turn: Double) -> Rank {
        if let affinity {
            let isFull = capacity?.isKnownFull(credential) ?? false
            return Rank(load: isFull ? .infinity : distance(affinity, credential), turn: 0).over(weight)
        }
        return Rank(load: (capacity?.share(of: credential) ?? 0) / weight, turn: turn)
    }

    /// Rendezvous hashing with weights: among several keys each has the lowest distance, divided by its weight, for as
    /// many values as its weight says. The same on all instances.
    private func distance(_ affinity: UInt64, _ credential: Credential) -> Double {
        let (first, second, _, _) = Digest(of: "\(provider)\n\(credential.key)").words
        let mixed = Self.mixed(affinity ^ first) ^ second
        // 53 bits of it as a number above 0 and below 1.
        let unit = (Double(Self.mixed(mixed) >> 11) + 0.5) / 9_007_199_254_740_992
        return -log(unit)
    }

    /// The last step of SplitMix64.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

import Engine
import Glibc

/// The rule for choosing a key, or a provider together with its keys, for a call.
struct KeyChoice {
    /// The rank of a key or provider. The key or provider with the lowest rank is chosen.
    struct Rank: Comparable {
        /// The value that is compared first, such as the used fraction of the capacity.
        let load: Double
        /// The number of times that the key or provider was chosen, plus one, divided by its weight. Compared if the
        /// loads are equal.
        let turn: Double

        static func < (one: Rank, other: Rank) -> Bool { (one.load, one.turn) < (other.load, other.turn) }

        func over(_ weight: Double) -> Rank { Rank(load: load / weight, turn: turn / weight) }
    }

    /// The capacity limits of the provider's keys; nil if the settings contain no such limits.
    var capacity: Capacity?
    /// A value, such as the user: calls with equal values use the same key. Nil without such a value.
    var affinity: AffinityValue?
    var provider = ""
    /// The key that goes before all others; nil if there is none.
    var preferred: SessionCalls.Key?

    /// Whether the call takes a turn of its key. Calls of sessions leave the turns to the other calls.
    var takesTurn: Bool { affinity?.isSession != true }

    /// Whether the keys only take turns: neither an affinity value nor a capacity limit decides.
    var isByTurn: Bool { affinity == nil && capacity == nil }

    func rank(_ credential: Credential, _ weight: Double, _ turn: Double) -> Rank {
        if let affinity {
            let isFull = capacity?.isKnownFull(credential) ?? false
            let isPreferred = preferred.map { $0.provider == provider && $0.label == credential.label } ?? false
            let distance = isPreferred ? -1 : distance(affinity.hash, credential)
            return Rank(load: isFull ? .infinity : distance, turn: 0).over(weight)
        }
        return Rank(load: (capacity?.share(of: credential) ?? 0) / weight, turn: turn)
    }

    /// Returns a pseudorandom distance between a key and an affinity value, the same in all instances.
    private func distance(_ affinity: UInt64, _ credential: Credential) -> Double {
        // The key with the lowest number, divided by its weight, gets the calls with the affinity value.
        let (first, second, _, _) = Digest(of: "\(provider)\n\(credential.key)").words
        let mixed = Self.mixed(affinity ^ first) ^ second
        // The upper 53 bits as a number above 0 and below 1.
        let unit = (Double(Self.mixed(mixed) >> 11) + 0.5) / 9_007_199_254_740_992
        return -log(unit)
    }

    /// Returns the value with its bits mixed, as in the last step of the SplitMix64 generator.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

import Calls
package import Engine

/// The state of a provider, for an operator.
package struct ProviderState: Sendable {
    /// A key of the provider and the end of its cooldown.
    package struct Key: Sendable {
        /// `k1`
        package let name: String
        package let weight: Double
        /// Nil: the key is used.
        package let restsUntil: LoopTime?
        package let isFull: Bool
    }

    /// Empty for a provider without keys of its own.
    package let keys: [Key]
    /// The end of the time in which the circuit breaker of the model is open; nil: it is closed.
    package let opensUntil: LoopTime?
    /// Whether no key has room for a call, as was seen just now.
    package let isFull: Bool

    /// The time at which the first key is used again; nil: some key is used.
    package var restsUntil: LoopTime? {
        let ends = keys.map(\.restsUntil)
        return ends.contains(nil) ? nil : ends.compactMap(\.self).min()
    }
}

extension Registry {
    /// Returns the state of a provider's model.
    ///
    /// - Parameter place: the provider's, in the order of the settings.
    package func state(of place: Int, model: String) -> ProviderState {
        let (entry, now) = (entries[place], loop.now)
        let keys = entry.keys?.states(at: now) ?? []
        let full = keys.map { entry.capacity?.isKnownFull($0.credential) ?? false }
        let isFull = keys.isEmpty ? entry.capacity?.isKnownFull(.none) ?? false : !full.contains(false)
        return ProviderState(
            keys: zip(keys, full).map { key, isFull in
                ProviderState.Key(
                    name: key.credential.label ?? "",
                    weight: key.weight,
                    restsUntil: key.restsUntil,
                    isFull: isFull
                )
            },
            opensUntil: balance.openEnd(Balance.BreakerKey(provider: place, model: model), at: now),
            isFull: isFull
        )
    }

    /// Ends the cooldown of a key, or those of all keys and locations; then the circuit breakers of the provider close, too.
    ///
    /// - Parameter key: the key's name; nil: all.
    /// - Returns: false if the provider has no such key.
    package func resume(_ place: Int, key: String?) -> Bool {
        if let key { return entries[place].keys?.resume(key) ?? false }
        entries[place].keys?.resumeAll()
        balance.closeBreakers(ofProvider: place)
        return true
    }
}

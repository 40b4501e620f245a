import Calls
package import Engine

/// The state of a provider's model, for an operator.
package struct ProviderState: Sendable {
    /// A key of the provider and the end of its cooldown.
    package struct Key: Sendable {
        /// The label of the key, such as `k1`.
        package let name: String
        package let weight: Double
        /// The end of the key's cooldown; nil if the key is not in cooldown.
        package let cooldownUntil: LoopTime?
        package let isFull: Bool
    }

    /// The keys of the provider; empty if it has no keys of its own.
    package let keys: [Key]
    /// The time at which the open circuit breaker of the model becomes half-open; nil if it is closed.
    package let opensUntil: LoopTime?
    /// Whether no key has free capacity, as far as this instance knows.
    package let isFull: Bool

    /// The end of the first cooldown if all keys are in cooldown, else nil.
    package var cooldownUntil: LoopTime? {
        let ends = keys.map(\.cooldownUntil)
        return ends.contains(nil) ? nil : ends.compactMap(\.self).min()
    }
}

extension Registry {
    /// Returns the state of a provider's model.
    ///
    /// - Parameter place: the provider's index in the order of the settings.
    package func state(of position: Int, model: String) -> ProviderState {
        let (entry, now) = (entries[position], loop.now)
        let keys = entry.keys?.states(at: now) ?? []
        let full = keys.map { entry.capacity?.isKnownFull($0.credential) ?? false }
        let isFull = keys.isEmpty ? entry.capacity?.isKnownFull(.none) ?? false : !full.contains(false)
        return ProviderState(
            keys: zip(keys, full).map { key, isFull in
                ProviderState.Key(
                    name: key.credential.label ?? "",
                    weight: key.weight,
                    cooldownUntil: key.cooldownUntil,
                    isFull: isFull
                )
            },
            opensUntil: balance.openEnd(Balance.BreakerKey(provider: position, model: model), at: now),
            isFull: isFull
        )
    }

    /// Ends the cooldown of one key. Without a key, ends all cooldowns of the provider and closes its circuit breakers.
    ///
    /// - Parameter key: the key's name; nil for all keys.
    /// - Returns: false if the provider has no such key.
    package func resume(_ position: Int, key: String?) -> Bool {
        if let key { return entries[position].keys?.resume(key) ?? false }
        entries[position].keys?.resumeAll()
        balance.closeBreakers(ofProvider: position)
        return true
    }
}

package import Engine

/// The present state of a model at a provider, as the operator's pages show it.
package struct ProviderState: Sendable {
    /// The present state of one key of the provider.
    package struct Key: Sendable {
        /// The label of the key, such as `k1`.
        package let name: String
        package let weight: Double
        /// The end of the key's cooldown; nil if the key is not in cooldown.
        package let cooldownUntil: LoopTime?
        /// Whether the key's cooldown is over, but the key has not served a call since.
        package let isUntried: Bool
        package let isFull: Bool
        package let trouble: Trouble?
    }

    /// The failure because of which a key or a model is not used.
    package struct Trouble: Sendable {
        /// The failure in short words, such as `401`.
        package let cause: String
        package let beganAt: LoopTime

        fileprivate init?(_ trouble: (cause: String, beganAt: LoopTime)?) {
            guard let trouble else { return nil }
            let answer = "the vendor answered "
            let isAnswer = trouble.cause.hasPrefix(answer)
            let words = isAnswer ? trouble.cause.dropFirst(answer.count).prefix { $0 != " " } : trouble.cause[...]
            cause = String(words)
            beganAt = trouble.beganAt
        }
    }

    /// The keys of the provider; empty if the provider has no configured keys.
    package let keys: [Key]
    /// The time at which the model's circuit breaker lets requests through again; nil if it lets them through now.
    package let opensUntil: LoopTime?
    /// Whether the provider has no free capacity with any key, as far as this instance knows.
    package let isFull: Bool
    /// The trouble with the model or the whole provider; nil if the last call was served.
    package let trouble: Trouble?

    /// The earliest time at which a key's cooldown ends, if all keys are in cooldown; otherwise nil.
    package var cooldownUntil: LoopTime? {
        let ends = keys.map(\.cooldownUntil)
        return ends.contains(nil) ? nil : ends.compactMap(\.self).min()
    }
}

extension Registry {
    /// Returns the present state of a model at the provider with this index in the settings.
    package func state(of index: Int, model: String) -> ProviderState {
        let (entry, now) = (entries[index], loop.now)
        let keys = entry.keys?.standings ?? []
        let key = Balance.BreakerKey(provider: index, model: model)
        let full = keys.map { entry.capacity?.isKnownFull($0.credential) ?? false }
        let isFull = keys.isEmpty ? entry.capacity?.isKnownFull(.none) ?? false : !full.contains(false)
        return ProviderState(
            keys: zip(keys, full).map { key, isFull in
                ProviderState.Key(
                    name: key.credential.label ?? "",
                    weight: key.weight,
                    cooldownUntil: key.cooldownEnd.flatMap { now < $0 ? $0 : nil },
                    isUntried: key.cooldownEnd.map { now >= $0 } ?? false,
                    isFull: isFull,
                    trouble: ProviderState.Trouble(key.trouble)
                )
            },
            opensUntil: balance.openEnd(key, at: now),
            isFull: isFull,
            trouble: ProviderState.Trouble(balance.trouble(key))
        )
    }

    /// Ends the cooldown of one key. For the whole provider, ends the cooldowns of all keys and closes its circuit
    /// breakers.
    /// - Parameter key: the label of the key; nil for the whole provider.
    /// - Returns: false if the provider has no key with this label.
    package func resume(_ index: Int, key: String?) -> Bool {
        if let key { return entries[index].keys?.resume(key) ?? false }
        entries[index].keys?.resumeAll()
        balance.closeBreakers(ofProvider: index)
        return true
    }
}

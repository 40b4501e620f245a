/// The prices of a provider's models.
package struct ProviderPrices: Sendable, Equatable {
    /// Nil: not known.
    let common: Price?
    /// By names that callers use.
    let ofModels: [String: Price]

    /// Nil: not known.
    package func price(of model: String) -> Price? {
        guard let own = ofModels[model] else { return common }
        return own.isNothing ? nil : own
    }

    var isKnown: Bool { common != nil || ofModels.values.contains { !$0.isNothing } }
}

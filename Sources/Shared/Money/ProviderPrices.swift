/// The prices of a provider's models.
package struct ProviderPrices: Sendable, Equatable {
    /// The price of models without an individual price; nil if unknown.
    let common: Price?
    /// The prices of single models, by the names that callers use.
    let ofModels: [String: Price]

    /// Returns the price of a model; nil if it is unknown.
    package func price(of model: String) -> Price? {
        guard let own = ofModels[model] else { return common }
        return own.isNothing ? nil : own
    }

    var isKnown: Bool { common != nil || ofModels.values.contains { !$0.isNothing } }
}

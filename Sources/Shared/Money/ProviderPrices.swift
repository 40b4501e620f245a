/// The prices of all models of one provider.
package struct ProviderPrices: Sendable, Equatable {
    /// The price of the models that have no individual price; nil if unknown.
    let common: Price?
    /// The individual prices of models, by the names that callers use.
    let ofModels: [String: Price]

    /// Returns the price of a model; nil if the price is unknown or zero.
    package func price(of model: String) -> Price? {
        guard let own = ofModels[model] else { return common }
        return own.isNothing ? nil : own
    }

    var isKnown: Bool { common != nil || ofModels.values.contains { !$0.isNothing } }
}

package struct ProviderPrices: Sendable, Equatable {
    /// The price of the models that have no individual price; nil if unknown.
    let common: Price?
    /// The individual prices of models, by the names that callers use.
    let ofModels: [String: Price]

    var fees = ToolFees()
    /// The price of one of 1min.ai's credits; nil if it is unknown.
    var credit: Cost?

    /// Returns the price of a model; nil if it is unknown.
    /// - Parameter listed: the price of the model in the vendor's list of models; nil if it is not there.
    package func price(of model: String, listed: ListedPrice?) -> Price? {
        let own = setting(of: model)
        let price = own?.isListed ?? false ? listed.flatMap { Price($0) } : own
        let known = price ?? (credit == nil ? nil : Price(nil))
        return known?.adding(fees, credit: credit)
    }

    /// Returns the price of a model in the settings; nil if there is none.
    package func setting(of model: String) -> Price? { ofModels[model] ?? common }

    /// Whether some model may have a price above 0.
    var isKnown: Bool {
        ([common].compactMap(\.self) + ofModels.values).contains { !$0.isFree } || !fees.isEmpty || credit != nil
    }

    /// Whether the prices of some models are those of the vendor's list of models.
    package var usesList: Bool { common?.isListed ?? false || ofModels.values.contains(where: \.isListed) }
}

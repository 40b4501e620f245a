/// The weights and the priority of a provider among those that serve the same model.
package struct ProviderRank: Sendable, Equatable {
    /// The share of requests; 0: the provider is never called.
    var weight = 1.0
    /// The weights of single models, by the names that callers use.
    var weights: [String: Double] = [:]
    /// The priority: providers with a lower number are tried earlier.
    package var priority = 1
    /// The number of retries of a call before another provider is called.
    package var retries = 0

    package init() {}

    package func weight(of model: String) -> Double { weights[model] ?? weight }
}

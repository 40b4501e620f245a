/// The rank of a provider among other providers: its weights, priority and retries.
package struct ProviderRank: Sendable, Equatable {
    /// The relative share of requests that the provider gets; 0 for none.
    var weight = 1.0
    /// The weights for single models, by the names that callers use. They override `weight`.
    var weights: [String: Double] = [:]
    /// The priority. Providers with a lower number are tried earlier.
    package var priority = 1
    /// The number of times that a failed call is repeated before another provider is called.
    package var retries = 0

    package func weight(of model: String) -> Double { weights[model] ?? weight }

    /// Whether no weight lets the provider get a request.
    var servesNothing: Bool { weight == 0 && weights.values.allSatisfy { $0 == 0 } }
}

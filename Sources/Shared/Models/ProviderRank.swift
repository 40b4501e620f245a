/// A provider's place among those that serve the same model.
package struct ProviderRank: Sendable, Equatable {
    /// 0: it is never asked.
    var weight = 1.0
    /// Of single models, by their names here.
    var weights: [String: Double] = [:]
    /// Lower is tried earlier.
    package var priority = 1
    /// More tries of a call before another provider is asked.
    package var retries = 0

    package init() {}

    package func weight(of model: String) -> Double { weights[model] ?? weight }
}

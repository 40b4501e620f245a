import Calls
import Shared
import Upstream

/// A request that checks one key of a provider, or that reads the provider's model list.
struct ProviderQuestion: Sendable {
    let provider: ProviderSettings
    /// The label of the key, such as `k1` for the first key; nil if the request has no key.
    private let label: String?
    /// Whether the request only reads a public model list, so its result says nothing about a key.
    private let isOfList: Bool
    /// The provider's configured models, by the names that the vendor uses.
    private let models: [String]
    private let mask: SecretMask
    let ask: @Sendable () async -> KeyCheckResult

    init(
        _ provider: ProviderSettings,
        _ label: String?,
        models: [String],
        isOfList: Bool = false,
        ask: @escaping @Sendable () async -> KeyCheckResult
    ) {
        self.provider = provider
        self.label = label
        self.models = models
        self.isOfList = isOfList
        let words = provider.headers.flatMap { $0.split { $0 == " " || $0 == "," }.map(String.init) }
        let secrets = provider.apiKeys + [provider.cloud.clientSecret] + words.filter { $0.utf8.count >= 8 }
        mask = SecretMask(secrets)
        self.ask = ask
    }

    /// Returns the lines of the report for this request's result.
    ///
    /// - Parameter given: the names of the settings that the operator has set.
    func lines(_ given: Set<String>, on checkResult: KeyCheckResult) -> [String] {
        let name = "\(provider.name) \(isOfList ? "models" : label ?? "without a key")"
        switch checkResult {
        case .accepted(let listed):
            let missing = models.filter { model in listed.map { !$0.contains(model) } ?? false }
            let setting = "PROVIDER_\(provider.name.asInstance)_MODELS"
            return ["\(name): \(isOfList ? "read" : "accepted")"]
                + missing.map { model in
                    let near = nearest(to: model, among: (listed ?? []).sorted())
                    let hint = near.map { "; did you mean \"\(mask.masked($0))\"?" } ?? ""
                    return "\(name): \"\(model)\" (\(setting)) is not on the vendor's list\(hint)"
                }
        case .refused(let cause):
            return ["\(name): rejected: \(mask.masked(cause)); correct \(keySetting(given))"]
        case .failed(let cause): return ["\(name): not confirmed: \(mask.masked(cause))"]
        }
    }

    /// Returns the name of the setting that contains the provider's key.
    ///
    /// - Parameter given: the names of the settings that the operator has set.
    private func keySetting(_ given: Set<String>) -> String {
        let fields = ["API_KEYS", "API_KEY", "REFRESH_TOKEN"].map { "PROVIDER_\(provider.name.asInstance)_\($0)" }
        return (fields + ["ONE_MIN_API_KEYS"]).first(where: given.contains) ?? fields[0]
    }
}

import Shared
import Upstream

/// A request that checks one key of a provider, or that reads the provider's model list.
struct ProviderQuestion: Sendable {
    let provider: ProviderSettings
    /// The label of the key, such as `k1` for the first key; nil if the request has no key.
    private let label: String?
    /// Whether the request only reads a public model list, so its result says nothing about a key.
    private let isOfList: Bool
    /// The provider's configured models. Their `upstream` is as on the vendor's list.
    private let models: [ModelName]
    private let mask: SecretMask
    let ask: @Sendable () async -> KeyCheckResult

    init(
        _ provider: ProviderSettings,
        _ label: String?,
        models: [ModelName],
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

    /// Returns the configured models that a vendor's list lacks. Of Azure, the list has no deployments.
    private func missing(_ listed: Set<String>?) -> [ModelName] {
        guard let listed, !listed.isEmpty, !provider.baseURL.contains(".azure.com") else { return [] }
        return models.filter { !listed.contains($0.upstream) }
    }

    /// Returns whether the vendor accepted the key and lists all models.
    func isGood(_ checkResult: KeyCheckResult?) -> Bool {
        guard case .accepted(let listed) = checkResult else { return false }
        return missing(listed).isEmpty
    }

    /// Returns a name on the vendor's list, as `MODELS` must contain it, that a missing model probably means.
    private func meant(by model: ModelName, _ listed: Set<String>) -> String? {
        if listed.contains(model.alias) { return "\(model.upstream)=\(model.alias)" }
        let parts = model.upstream.split(separator: ":", maxSplits: 1).map(String.init)
        if parts.count == 2, listed.contains(parts[1]) { return "\(parts[0])=\(parts[1])" }
        guard let near = nearestModel(to: model.upstream, among: listed.sorted()) else { return nil }
        return model.alias == model.upstream ? near : "\(model.alias)=\(near)"
    }

    /// Returns the lines of the report for this request's result.
    /// - Parameter given: the names of the settings that the operator has set.
    func lines(_ given: Set<String>, on checkResult: KeyCheckResult) -> [String] {
        let name = "\(provider.name) \(isOfList ? "models" : label ?? "without a key")"
        switch checkResult {
        case .accepted(let listed):
            let subset = provider.models.isEmpty ? provider.kind.row.subsetName : nil
            let setting = subset ?? "PROVIDER_\(provider.name.asInstance)_MODELS"
            return ["\(name): \(isOfList ? "read" : "accepted")"]
                + missing(listed).map { model in
                    let near = meant(by: model, listed ?? [])
                    let hint =
                        near.map { "; did you mean \(mask.masked($0))?" }
                        ?? "; `relay models --live` reads the list, correct or remove it"
                    return "\(name): \"\(model.upstream)\" (\(setting)) is not on the vendor's list\(hint)"
                }
        case .refused(let cause):
            return ["\(name): rejected: \(mask.masked(cause)); correct \(provider.keySetting)"]
        case .unreachable(let cause): return ["\(name): not confirmed: \(mask.masked(cause)); \(adviceOnServer(given))"]
        case .failed(let cause): return ["\(name): not confirmed: \(mask.masked(cause))"]
        }
    }

    /// Returns what to do about a server that cannot be reached.
    private func adviceOnServer(_ given: Set<String>) -> String {
        let own = "PROVIDER_\(provider.name.asInstance)_BASE_URL"
        if given.contains(own) { return "start the server there, or correct \(own)" }
        let settings = ["UPSTREAM_PROXY", provider.kind.row.urlSetting].compactMap(\.self)
        return "check this machine's network, and \(settings.joined(separator: " and "))"
    }
}

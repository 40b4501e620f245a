/// Which models callers may name, and which providers serve them. Constant; all loops share one.
package struct Offers: Sendable {
    /// A provider, by its place among the settings', and the model as it wants it.
    package struct Offer: Sendable {
        package let provider: Int
        package let model: Model
    }

    package struct Listed: Sendable, Equatable {
        package let id: String
        package let owner: String
    }

    private var byName: [String: [Offer]] = [:]
    private var listing: [(name: String, provider: Int)] = []
    /// Names that are served but for `PERMIT_MODELS_FROM_SUBSET_ONLY`.
    private var forbidden: Set<String> = []
    private let providers: [ProviderSettings]
    private let isSubsetOnly: Bool
    package let fallback: String?

    /// - Parameter catalogue: the models of 1min.ai.
    package init(_ settings: Settings, _ catalogue: Catalogue) {
        providers = settings.providers
        fallback = settings.fallbackModel
        isSubsetOnly = settings.isSubsetOnly && providers.contains { $0.kind == .onemin }
        let subset = settings.permittedModels
        let permitted = Set(subset.map(catalogue.id))
        for (index, provider) in providers.enumerated() {
            switch provider.kind {
            case .echo:
                for name in provider.models { add(name.alias, Model(chatModel: name.alias, owner: ""), index) }
            case .onemin:
                let names = provider.models.isEmpty ? Self.names(subset, catalogue) : provider.models
                for name in names {
                    let model = catalogue.model(name.upstream) ?? Model(unknown: name.upstream)
                    if settings.isSubsetOnly && !permitted.contains(model.id) {
                        forbidden.insert(name.alias)
                    } else {
                        add(name.alias, model, index)
                    }
                }
            }
        }
    }

    /// The subset in its order, then all of the catalogue that some endpoint serves, by id.
    private static func names(_ subset: [String], _ catalogue: Catalogue) -> [ModelName] {
        let ids = catalogue.models.filter(\.isServed).map(\.id).filter { !subset.contains($0) }.sorted()
        return (subset + ids).map { ModelName(alias: $0, upstream: $0) }
    }

    private mutating func add(_ name: String, _ model: Model, _ provider: Int) {
        byName[name, default: []].append(Offer(provider: provider, model: model))
        listing.append((name, provider))
    }

    /// Who serves a name, which may be a short one; nobody: empty.
    package subscript(name: String) -> [Offer] {
        byName[name] ?? ShortNames.id(of: name).flatMap { byName[$0] } ?? []
    }

    /// What serves a name that nobody serves, if it may be asked for at all.
    package func substitutes(for name: String) -> [Offer] {
        guard let fallback, !forbidden.contains(name), !forbidden.contains(ShortNames.id(of: name) ?? name) else {
            return []
        }
        return self[fallback]
    }

    /// What the caller may use; providers in their order, their models as configured or by id.
    package func listed(for caller: Caller) -> [Listed] {
        var seen: Set<String> = []
        return listing.compactMap { name, index in
            let provider = providers[index]
            guard caller.mayUse(name, ofPassthrough: provider.isPassthrough), seen.insert(name).inserted else {
                return nil
            }
            return Listed(id: name, owner: provider.kind == .onemin ? "1minai" : provider.label)
        }
    }

    /// Whether the caller may use some model of the provider at that place.
    package func serve(_ caller: Caller, at provider: Int) -> Bool {
        let isPassthrough = providers[provider].isPassthrough
        return listing.contains { $0.provider == provider && caller.mayUse($0.name, ofPassthrough: isPassthrough) }
    }

    /// All that may be named, in the order of providers.
    package var names: [String] { listing.map(\.name) }

    /// Names at providers that hold credentials, as patterns may mean them.
    var namesWithCredentials: [String] {
        listing.filter { !providers[$0.provider].isPassthrough }.map(\.name)
    }

    /// The same answer whether a model does not exist or may not be used.
    package func notFound(_ name: String) -> APIError {
        var error = APIError.modelNotFound(name)
        if isSubsetOnly { error.message = "The model \(name.beginning(ofBytes: 100)) does not exist." }
        return error
    }
}

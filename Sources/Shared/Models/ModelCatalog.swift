import Engine

/// The models that callers may name, and the providers of each. The catalog never changes.
package struct ModelCatalog: Sendable {
    /// A model of one provider that can serve requests.
    package struct ServedModel: Sendable {
        package let provider: Int
        package let model: Model
        package let rank: Rank
        /// The price of the model; nil if unknown.
        package let price: Price?

        /// A copy of this served model whose chats search the web.
        var searching: ServedModel {
            var model = model
            model.searchesWeb = true
            return ServedModel(provider: provider, model: model, rank: rank, price: price)
        }
    }

    /// The rank of a provider for one model name: its priority, weight and retries.
    package struct Rank: Sendable {
        /// The weight, which is above 0. Providers with equal priority share requests in proportion to their weights.
        package let weight: Double
        /// The priority. Providers with a lower number are tried earlier.
        package var priority: Int
        /// The number of times that a failed call is repeated before another provider is called.
        package let retries: Int

        package init(weight: Double = 1, priority: Int, retries: Int = 0) {
            self.weight = weight
            self.priority = priority
            self.retries = retries
        }
    }

    /// One provider from the settings, with its models and the facts about them.
    package struct Provider: Sendable {
        /// The models that the settings name; empty if the provider serves its whole catalogue or list.
        let models: [ModelName]
        /// The catalogue of the vendor's models; nil if the relay has none.
        let catalogue: Catalogue?
        /// The unique name of the provider. A panel can name a member as `provider/model`.
        let name: String
        /// Whether the provider also serves all models on the vendor's model list.
        let servesList: Bool
        /// The vendor's model list; nil if the list is not used or was not read yet.
        let list: [LiveModel]?
        /// The models that the settings select from the provider's catalogue. Model lists show these models first.
        let subset: [String]
        /// Whether the suffix `:online` of a model name requests a web search.
        let hasSearchSuffix: Bool
        /// Whether the provider refuses models of its catalogue that the settings do not select (`subset`).
        let isSubsetOnly: Bool
        /// The owner of the models, as model lists show it.
        let owner: String
        /// Whether upstream calls use the caller's own key.
        let isPassthrough: Bool
        /// The model for `/generate` and `/llm` requests that name none; nil for the first chat model.
        let generateModel: String?
        let rank: ProviderRank
        let prices: ProviderPrices
        let facts: ProviderFacts
    }

    /// The facts that the settings declare about a provider's models.
    package struct ProviderFacts: Sendable {
        /// The facts about single models, by the names that callers use.
        let ofModels: [String: ModelFacts]
        let supportsTools: Bool
        let acceptsImages: Bool
    }

    /// A model name, and the models of the providers that serve this name. They are sorted by priority, then by the
    /// order of providers.
    package struct NamedModel: Sendable {
        package let name: String
        package fileprivate(set) var servedModels: [ServedModel]
    }

    /// All model names, each with the models of the providers that serve it. The order is that in which the names were
    /// added.
    package private(set) var all: [NamedModel] = []
    /// The index of each model name in the list `all`.
    private var indices: [String: Int] = [:]
    private(set) var listing: [(name: String, provider: Int, model: Model, facts: ModelFacts)] = []
    /// The models that the settings exclude, by name: outside a provider's subset, or with the weight 0.
    private var forbidden: [String: Model] = [:]
    let providers: [Provider]
    /// The short names that replace UUIDs in model lists, by UUID.
    private var shortNames: [String: String] = [:]
    private let catalogues: [Catalogue]
    let isSubsetOnly: Bool
    package internal(set) var panels: ServedPanels
    let namedFallback: String?
    /// The replacements for retired models: a new model name for each old one.
    let replacements: [String: String]

    /// - Parameters:
    ///   - fallback: the model for names that no provider serves; nil if there is none.
    ///   - replacements: the replacing model's name for each retired or unserved model.
    ///   - panels: the panels. A panel hides a model of the same name.
    package init(
        _ providers: [Provider],
        fallback: String?,
        replacements: [String: String] = [:],
        panels: [Panel] = []
    ) {
        self.providers = providers
        self.panels = ServedPanels(panels)
        namedFallback = fallback
        self.replacements = replacements
        catalogues = providers.compactMap(\.catalogue)
        isSubsetOnly = providers.contains(where: \.isSubsetOnly)
        for (index, provider) in providers.enumerated() {
            if let catalogue = provider.catalogue {
                add(provider, index, catalogue: catalogue)
            } else {
                let live = provider.list ?? []
                let byID = Dictionary(live.map { ($0.id, $0) }) { first, _ in first }
                for name in provider.models {
                    let model = byID[name.upstream]
                    add(name.alias, Model(named: name.upstream, model), provider: index, live: model)
                }
                guard provider.servesList else { continue }
                let own = Set(provider.models.map(\.alias))
                for model in live.sorted(by: { $0.id < $1.id }) where !own.contains(model.id) {
                    add(model.id, Model(named: model.id, model), provider: index, live: model)
                }
            }
        }
        findUsablePanels()
        sortByPriority()
    }

    private mutating func sortByPriority() {
        guard providers.contains(where: { $0.rank.priority != providers[0].rank.priority }) else { return }
        for index in all.indices {
            all[index].servedModels.sort { ($0.rank.priority, $0.provider) < ($1.rank.priority, $1.provider) }
        }
    }

    private mutating func add(_ provider: Provider, _ index: Int, catalogue: Catalogue) {
        let permitted = Set(provider.subset.map(catalogue.id))
        let names = provider.models.isEmpty ? names(provider, catalogue) : provider.models.map { ($0, true) }
        for (name, isShown) in names where !catalogue.isGone(name.upstream) {
            let model = catalogue.model(name.upstream) ?? Model(unknown: name.upstream)
            if provider.isSubsetOnly && !permitted.contains(model.id) {
                forbidden[name.alias] = model
            } else {
                // The list shows the subset with the operator's names, which may be short names.
                add(name.alias, model, provider: index, isListed: !provider.isSubsetOnly || isShown)
            }
        }
    }

    /// Returns the names of the models in a provider's catalogue, and whether each is in `provider.subset`.
    ///
    /// The names of the subset come first, then the other names, sorted.
    private mutating func names(_ provider: Provider, _ catalogue: Catalogue) -> [(ModelName, Bool)] {
        let subset = provider.subset
        let ids = catalogue.models.filter(\.isServed).map(\.id).filter { !subset.contains($0) }
        var names: [(ModelName, Bool)] = []
        var seen: Set<String> = []
        for (index, id) in (subset + ids).enumerated() {
            var alias = id
            if let short = catalogue.listedName(of: id), !isTaken(short) {
                shortNames[id] = short
                alias = short
            }
            if seen.insert(alias).inserted {
                names.append((ModelName(alias: alias, upstream: id), index < subset.count))
            }
        }
        let ofSubset = names.count { $0.1 }
        return names[..<ofSubset] + names[ofSubset...].sorted { $0.0.alias < $1.0.alias }
    }

    private func isTaken(_ name: String) -> Bool {
        panels.all.contains { $0.name == name }
            || providers.contains { provider in
                provider.models.contains { $0.alias == name } || provider.list?.contains { $0.id == name } ?? false
            }
    }

    package func mayUse(_ name: String, _ caller: Caller, ofPassthrough isPassthrough: Bool) -> Bool {
        let ruled = ruledName(name)
        if caller.mayUse(ruled, ofPassthrough: isPassthrough) { return true }
        guard !isPassthrough else { return false }
        if let other = otherName(of: ruled), caller.isPermitted(anyOf: [ruled, other]) { return true }
        guard let id = shortNames.first(where: { $0.value == ruled })?.key else { return false }
        return caller.isPermitted(exactly: id)
    }

    /// Returns the name that permissions and limits use. If `name` is the UUID of a model with a short name, it is the
    /// short name, else `name`.
    package func ruledName(_ name: String) -> String { name.utf8.count == 36 ? shortNames[name] ?? name : name }

    private mutating func add(
        _ name: String,
        _ model: Model,
        provider: Int,
        live: LiveModel? = nil,
        isListed: Bool = true
    ) {
        if panels.hides(name) { return }
        var model = model
        if let window = providers[provider].facts.ofModels[name]?.contextWindow { model.contextWindow = window }
        let rank = providers[provider].rank
        // The settings may name the model by the id that its short name replaces.
        let isByID = shortNames[model.id] == name
        let weight = rank.weight(of: isByID && rank.weights[name] == nil ? model.id : name)
        // If no other provider serves the name, it is unknown, and the fallback model does not replace it.
        guard weight > 0 else {
            forbidden[name] = model
            return
        }
        let servedModel = ServedModel(
            provider: provider,
            model: model,
            rank: Rank(weight: weight, priority: rank.priority, retries: rank.retries),
            price: providers[provider].prices.price(
                of: isByID && providers[provider].prices.ofModels[name] == nil ? model.id : name,
                listed: live?.facts.price
            )
        )
        if let index = indices[name] {
            all[index].servedModels.append(servedModel)
        } else {
            indices[name] = all.count
            all.append(NamedModel(name: name, servedModels: [servedModel]))
        }
        if isListed { listing.append((name, provider, model, facts(of: model, named: name, at: provider, live))) }
    }

    /// Returns the models of the providers that serve this name, by priority; empty if no provider serves it.
    package subscript(name: String) -> [ServedModel] {
        index(of: name).map { all[$0].servedModels } ?? searching(name)
    }

    /// Returns the index of a model name in the list `all`; nil if no provider serves the name.
    package func index(of name: String) -> Int? {
        indices[name] ?? indices[ruledName(name)] ?? fullNames(of: name).lazy.compactMap { indices[$0] }.first
    }

    /// Whether some provider serves all models on its vendor's list, but that list was not read yet.
    package var isAwaitingList: Bool { providers.contains { $0.servesList && $0.list == nil } }

    /// Returns whether a vendor's list that was not read yet might offer this model to the caller.
    package func mayBeListed(_ name: String, for caller: Caller) -> Bool {
        isAwaitingList && forbiddenModel(name) == nil && caller.mayUse(name, ofPassthrough: false)
    }

    func forbiddenModel(_ name: String) -> Model? {
        forbidden[name] ?? forbidden[ruledName(name)] ?? fullNames(of: name).lazy.compactMap { forbidden[$0] }.first
    }

    /// The models with a known shutdown date, with that date. Each name occurs once.
    package var ending: [(name: String, day: Day)] {
        var seen: Set<String> = []
        return listing.compactMap { name, _, model, _ in
            guard let day = model.shutdownDate, seen.insert(name).inserted else { return nil }
            return (name, day)
        }
    }

    private func fullNames(of name: String) -> [String] { catalogues.compactMap { $0.fullID(name) } }

    /// Returns the other names of the model with this name: its id for a short name, or its short name for an id.
    private func otherNames(of name: String) -> [String] {
        fullNames(of: name) + catalogues.compactMap { $0.shortName(name) }
    }

    /// Returns the other name of a model whose names stand for nothing else; nil if there is none.
    private func otherName(of name: String) -> String? {
        guard let id = self[name].first?.model.id else { return nil }
        let other = name == id ? catalogues.lazy.compactMap { $0.shortName(id) }.first : id
        guard let other, !other.isUUID, otherNames(of: name).contains(other), !self[other].isEmpty else { return nil }
        return (self[name] + self[other]).allSatisfy { $0.model.id == id } ? other : nil
    }

    /// Returns a name by which the caller may use a listed model: `name` or another name of the model; nil if there is
    /// none.
    func usable(_ name: String, at provider: Int, for caller: Caller) -> String? {
        let isPassthrough = providers[provider].isPassthrough
        if mayUse(name, caller, ofPassthrough: isPassthrough) { return name }
        let other = otherNames(of: name).first { caller.mayUse($0, ofPassthrough: isPassthrough) }
        return other.flatMap { $0.isUUID ? nil : $0 }
    }

    /// Returns the name under which limits count a model: its id for a short name, unless the id is a UUID.
    package func limitedName(of name: String) -> String {
        let ruled = ruledName(name)
        let id = fullNames(of: ruled).first { !$0.isUUID }
        return id.flatMap { id in self[ruled].contains { $0.model.id == id } ? id : nil } ?? ruled
    }

    /// Returns the other name by which limits may name a model; nil if there is none.
    package func shortName(ofLimited name: String) -> String? {
        otherNames(of: name).first { !$0.isUUID && limitedName(of: $0) == name }
    }

    /// The models of which limits can count requests, by the name under which they count, and their other names.
    package var limitedModels: [(name: String, shortName: String?)] {
        (allNames + replacedNames).map(limitedName).map { ($0, shortName(ofLimited: $0)) }
    }

    /// Returns whether the models of a provider can serve the caller: the caller may use at least one of them.
    package func serve(_ caller: Caller, at provider: Int) -> Bool {
        listing.contains { $0.provider == provider && usable($0.name, at: provider, for: caller) != nil }
            || replacedNames.contains { name in
                caller.mayUse(name, ofPassthrough: providers[provider].isPassthrough)
                    && serves(replacement(of: name) ?? name, at: provider)
            }
    }

    /// The names of all listed models, in the order of providers.
    package var names: [String] { listing.map(\.name) }

    package var allNames: [String] { names + panels.all.map(\.name) }

    /// All names that a caller's model patterns can match, except models that only passthrough providers serve.
    var namesWithCredentials: [String] {
        let own = listing.filter { !providers[$0.provider].isPassthrough }.map(\.name)
        return own + own.flatMap(otherNames) + panels.all.map(\.name)
    }
}

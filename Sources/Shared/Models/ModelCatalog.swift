import Engine

/// The models that callers may name, and the providers that serve them. The value is constant and shared by all loops.
package struct ModelCatalog: Sendable {
    /// A provider, as its index in the settings, and its model.
    package struct ServedModel: Sendable {
        package let provider: Int
        package let model: Model
        package let rank: Rank
        /// The price of the model; nil if unknown.
        package let price: Price?

        /// This served model for chats that search the web.
        var searching: ServedModel {
            var model = model
            model.searchesWeb = true
            return ServedModel(provider: provider, model: model, rank: rank, price: price)
        }
    }

    /// The order of a served model among others of its name.
    package struct Rank: Sendable {
        /// The share of requests among served models of the same priority, above 0.
        package let weight: Double
        /// The priority: served models with a lower number are tried earlier.
        package var priority: Int
        /// The number of retries of a call before another provider is called.
        package let retries: Int
    }

    /// The models of one provider of the settings, and what is known about them.
    package struct Provider: Sendable {
        /// The names that callers use; empty: the names of the catalogue.
        let models: [ModelName]
        /// The catalogue; nil: the provider has only chat models, of which only the names are known.
        let catalogue: Catalogue?
        /// The unique name of the provider, by which panels choose it for a member.
        let name: String
        /// Whether the models of the vendor's own list are served, too.
        let servesList: Bool
        /// The vendor's list; nil: it was not read yet.
        let list: [LiveModel]?
        /// The models of the catalogue that are listed first.
        let subset: [String]
        /// Whether `:online` after a model's name requests a web search.
        let hasSearchSuffix: Bool
        /// Whether models of the catalogue that are not in `subset` are refused.
        let isSubsetOnly: Bool
        /// The owner of the models, as callers see it.
        let owner: String
        /// Whether upstream calls use the caller's own key.
        let isPassthrough: Bool
        /// The model for calls that name none (`/generate`, `/llm`); nil: the first chat model.
        let generateModel: String?
        let rank: ProviderRank
        let prices: ProviderPrices
        let facts: ProviderFacts
    }

    /// The facts of the settings about a provider's models.
    package struct ProviderFacts: Sendable {
        /// The facts by the names that callers use.
        let ofModels: [String: ModelFacts]
        let supportsTools: Bool
        let acceptsImages: Bool
    }

    /// All served models of one name, sorted by priority, then in the order of providers.
    package struct NamedModel: Sendable {
        package let name: String
        package fileprivate(set) var servedModels: [ServedModel]
    }

    /// The served models of all names, in the order in which the names were added.
    package private(set) var all: [NamedModel] = []
    /// The index of each name in `all`.
    private var positions: [String: Int] = [:]
    private(set) var listing: [(name: String, provider: Int, model: Model, facts: ModelFacts)] = []
    /// The models, by name, that are not served because of `Provider.isSubsetOnly` or a weight of 0.
    private var forbidden: [String: Model] = [:]
    let providers: [Provider]
    /// The short names of models, by the ids (UUIDs) that they replace in lists.
    private var shortNames: [String: String] = [:]
    private let catalogues: [Catalogue]
    let isSubsetOnly: Bool
    package internal(set) var panels: ServedPanels
    let namedFallback: String?
    /// The replacements for retired models: the new name by the old one.
    let replacements: [String: String]

    /// - Parameters:
    ///   - providers: the providers in the order of the settings.
    ///   - fallback: the model for names that no provider serves; nil: there is none.
    ///   - replacements: the new names of models that were retired, or that no provider serves.
    ///   - panels: the panels, which hide models of the same name.
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
        for position in all.indices {
            all[position].servedModels.sort { ($0.rank.priority, $0.provider) < ($1.rank.priority, $1.provider) }
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

    /// Returns the names of the subset in its order, then of all other models of the catalogue that some endpoint
    /// serves, sorted. The flag says whether a name is in the subset. A short name replaces a UUID, unless another
    /// provider or a panel has that name.
    private mutating func names(_ provider: Provider, _ catalogue: Catalogue) -> [(ModelName, Bool)] {
        let subset = provider.subset
        let ids = catalogue.models.filter(\.isServed).map(\.id).filter { !subset.contains($0) }
        var names: [(ModelName, Bool)] = []
        var seen: Set<String> = []
        for (position, id) in (subset + ids).enumerated() {
            var alias = id
            if let short = catalogue.listedName(of: id), !isTaken(short) {
                shortNames[id] = short
                alias = short
            }
            if seen.insert(alias).inserted {
                names.append((ModelName(alias: alias, upstream: id), position < subset.count))
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

    /// Returns whether the caller may use a model by this name. Patterns are matched with the short name in place of a
    /// UUID; a pattern that is the UUID itself also matches.
    package func mayUse(_ name: String, _ caller: Caller, ofPassthrough isPassthrough: Bool) -> Bool {
        let ruled = ruledName(name)
        if caller.mayUse(ruled, ofPassthrough: isPassthrough) { return true }
        guard !isPassthrough, let id = shortNames.first(where: { $0.value == ruled })?.key else { return false }
        return caller.isPermitted(exactly: id)
    }

    /// Returns the name by which permissions and limits know a model: the short name in place of a UUID.
    package func ruledName(_ name: String) -> String { name.utf8.count == 36 ? shortNames[name] ?? name : name }

    private mutating func add(
        _ name: String,
        _ model: Model,
        provider: Int,
        live: LiveModel? = nil,
        isListed: Bool = true
    ) {
        if panels.hides(name) { return }
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
                of: isByID && providers[provider].prices.ofModels[name] == nil ? model.id : name
            )
        )
        if let position = positions[name] {
            all[position].servedModels.append(servedModel)
        } else {
            positions[name] = all.count
            all.append(NamedModel(name: name, servedModels: [servedModel]))
        }
        if isListed { listing.append((name, provider, model, facts(of: model, named: name, at: provider, live))) }
    }

    /// Returns the served models of a name, which may be a short name, by priority, then in the order of providers;
    /// empty if there are none.
    package subscript(name: String) -> [ServedModel] {
        position(of: name).map { all[$0].servedModels } ?? searching(name)
    }

    /// Returns the index of the name's served models in `all`; nil if there are none.
    package func position(of name: String) -> Int? {
        positions[name] ?? positions[ruledName(name)] ?? fullNames(of: name).lazy.compactMap { positions[$0] }.first
    }

    /// Whether the model list of some vendor was not read yet.
    package var isAwaitingList: Bool { providers.contains { $0.servesList && $0.list == nil } }

    /// Returns whether a model list that was not read yet could contain this name, and the caller could then use it.
    package func mayBeListed(_ name: String, for caller: Caller) -> Bool {
        isAwaitingList && forbiddenModel(name) == nil && caller.mayUse(name, ofPassthrough: false)
    }

    func forbiddenModel(_ name: String) -> Model? {
        forbidden[name] ?? forbidden[ruledName(name)] ?? fullNames(of: name).lazy.compactMap { forbidden[$0] }.first
    }

    /// The models with a known shutdown date, each name once.
    package var ending: [(name: String, day: Day)] {
        var seen: Set<String> = []
        return listing.compactMap { name, _, model, _ in
            guard let day = model.shutdownDate, seen.insert(name).inserted else { return nil }
            return (name, day)
        }
    }

    private func fullNames(of name: String) -> [String] { catalogues.compactMap { $0.fullID(name) } }

    /// Returns the full names and the short names of the model with this name.
    private func otherNames(of name: String) -> [String] {
        fullNames(of: name) + catalogues.compactMap { $0.shortName(name) }
    }

    /// Returns the name by which the caller may use a listed model; nil if the caller may not use it.
    func usable(_ name: String, at provider: Int, for caller: Caller) -> String? {
        let isPassthrough = providers[provider].isPassthrough
        if mayUse(name, caller, ofPassthrough: isPassthrough) { return name }
        let other = otherNames(of: name).first { caller.mayUse($0, ofPassthrough: isPassthrough) }
        return other.flatMap { $0.isUUID ? nil : $0 }
    }

    /// Returns whether the caller may use some model of a provider.
    package func serve(_ caller: Caller, at provider: Int) -> Bool {
        listing.contains { $0.provider == provider && usable($0.name, at: provider, for: caller) != nil }
            || replacedNames.contains { name in
                caller.mayUse(name, ofPassthrough: providers[provider].isPassthrough)
                    && serves(replacement(of: name) ?? name, at: provider)
            }
    }

    /// All listed names, in the order of providers.
    package var names: [String] { listing.map(\.name) }

    /// All listed names, and the names of panels.
    package var allNames: [String] { names + panels.all.map(\.name) }

    /// All names that patterns of callers may mean: those at providers with credentials, their other names, and panels.
    var namesWithCredentials: [String] {
        let own = listing.filter { !providers[$0.provider].isPassthrough }.map(\.name)
        return own + own.flatMap(otherNames) + panels.all.map(\.name)
    }
}

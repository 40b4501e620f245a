import Engine

/// The models that callers may name, and the providers that serve them. Constant; all loops share one.
package struct Offers: Sendable {
    /// A provider, by its place among the settings', and the model as it wants it.
    package struct Offer: Sendable {
        package let provider: Int
        package let model: Model
        package let rank: Rank
        /// Nil: not known.
        package let price: Price?

        /// This offer for chats that search the web.
        var searching: Offer {
            var model = model
            model.searchesWeb = true
            return Offer(provider: provider, model: model, rank: rank, price: price)
        }
    }

    /// The place of an offer among others of its name.
    package struct Rank: Sendable {
        /// Above 0.
        package let weight: Double
        /// Lower is tried earlier.
        package var priority: Int
        /// More tries of a call before another provider is asked.
        package let retries: Int
    }

    /// One of the settings' providers, as far as its models go.
    package struct Provider: Sendable {
        /// Names that callers use; empty: those of the catalogue.
        let models: [ModelName]
        /// Nil: its models chat, and are known by their names only.
        let catalogue: Catalogue?
        /// Unique; panels pin their members by it.
        let name: String
        /// The vendor's own list is served, too.
        let servesList: Bool
        /// It; nil: it was not read yet.
        let list: [LiveModel]?
        /// Models of the catalogue that are listed first.
        let subset: [String]
        /// Whether `:online` after the name of a model asks for a search of the web.
        let hasSearchSuffix: Bool
        /// No other models of the catalogue may be used.
        let isSubsetOnly: Bool
        /// The owner of its models, as callers see it.
        let owner: String
        /// Calls are made with the caller's own key.
        let isPassthrough: Bool
        /// The name by which it serves calls that name no model; nil: the first that chats.
        let generateModel: String?
        let rank: ProviderRank
        let prices: ProviderPrices
        let facts: ProviderFacts
    }

    /// Facts of a provider's models that settings name.
    package struct ProviderFacts: Sendable {
        /// By names that callers use.
        let ofModels: [String: ModelFacts]
        let takesTools: Bool
        let takesPictures: Bool
    }

    /// All offers of one name, by priority, then in the order of providers.
    package struct Named: Sendable {
        package let name: String
        package fileprivate(set) var offers: [Offer]
    }

    /// In the order in which their names were met.
    package private(set) var all: [Named] = []
    /// Places in `all`.
    private var places: [String: Int] = [:]
    private(set) var listing: [(name: String, provider: Int, model: Model, facts: ModelFacts)] = []
    /// Models that are served but for `Provider.isSubsetOnly`, or a weight of 0, by name.
    private var forbidden: [String: Model] = [:]
    let providers: [Provider]
    /// Short names in place of ids that are UUIDs, by these.
    private var shortNames: [String: String] = [:]
    private let catalogues: [Catalogue]
    let isSubsetOnly: Bool
    package internal(set) var panels: PanelOffers
    let namedFallback: String?
    /// The names that take the place of others once these have ended.
    let replacements: [String: String]

    /// - Parameters:
    ///   - providers: in the order of the settings.
    ///   - fallback: the model for a name that nobody serves.
    ///   - replacements: of models that have ended, or that nobody serves.
    ///   - panels: their names go before those that vendors list.
    package init(
        _ providers: [Provider],
        fallback: String?,
        replacements: [String: String] = [:],
        panels: [Panel] = []
    ) {
        self.providers = providers
        self.panels = PanelOffers(panels)
        namedFallback = fallback
        self.replacements = replacements
        catalogues = providers.compactMap(\.catalogue)
        isSubsetOnly = providers.contains(where: \.isSubsetOnly)
        for (index, provider) in providers.enumerated() {
            if let catalogue = provider.catalogue {
                add(provider, index, catalogue)
            } else {
                let live = provider.list ?? []
                let byID = Dictionary(live.map { ($0.id, $0) }) { first, _ in first }
                for name in provider.models {
                    let model = byID[name.upstream]
                    add(name.alias, Model(named: name.upstream, model), index, model)
                }
                let own = Set(provider.models.map(\.alias))
                for model in live.sorted(by: { $0.id < $1.id }) where !own.contains(model.id) {
                    add(model.id, Model(named: model.id, model), index, model)
                }
            }
        }
        findUsablePanels()
        sortByPriority()
    }

    private mutating func sortByPriority() {
        guard providers.contains(where: { $0.rank.priority != providers[0].rank.priority }) else { return }
        for place in all.indices {
            all[place].offers.sort { ($0.rank.priority, $0.provider) < ($1.rank.priority, $1.provider) }
        }
    }

    private mutating func add(_ provider: Provider, _ index: Int, _ catalogue: Catalogue) {
        let permitted = Set(provider.subset.map(catalogue.id))
        let names = provider.models.isEmpty ? names(provider, catalogue) : provider.models.map { ($0, true) }
        for (name, isShown) in names where !catalogue.isGone(name.upstream) {
            let model = catalogue.model(name.upstream) ?? Model(unknown: name.upstream)
            if provider.isSubsetOnly && !permitted.contains(model.id) {
                forbidden[name.alias] = model
            } else {
                // The list shows the subset by the operator's names, which may be short.
                add(name.alias, model, index, isListed: !provider.isSubsetOnly || isShown)
            }
        }
    }

    /// The subset in its order, then all of the catalogue that some endpoint serves, by name; and whether it is of the
    /// subset. A name of ours stands for an id that is a UUID, unless another provider or a panel has that name.
    private mutating func names(_ provider: Provider, _ catalogue: Catalogue) -> [(ModelName, Bool)] {
        let subset = provider.subset
        let ids = catalogue.models.filter(\.isServed).map(\.id).filter { !subset.contains($0) }
        var names: [(ModelName, Bool)] = []
        var seen: Set<String> = []
        for (place, id) in (subset + ids).enumerated() {
            var alias = id
            if let short = catalogue.listedName(of: id), !isTaken(short) {
                shortNames[id] = short
                alias = short
            }
            if seen.insert(alias).inserted {
                names.append((ModelName(alias: alias, upstream: id), place < subset.count))
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

    /// Whether the caller may use a model by this name. Patterns see its short name in place of a UUID; one that is the
    /// UUID itself means the same model.
    package func mayUse(_ name: String, _ caller: Caller, ofPassthrough isPassthrough: Bool) -> Bool {
        let ruled = ruledName(name)
        if caller.mayUse(ruled, ofPassthrough: isPassthrough) { return true }
        guard !isPassthrough, let id = shortNames.first(where: { $0.value == ruled })?.key else { return false }
        return caller.isPermitted(exactly: id)
    }

    /// The name by which rights and limits know a model: the short one in place of a UUID.
    package func ruledName(_ name: String) -> String { name.utf8.count == 36 ? shortNames[name] ?? name : name }

    private mutating func add(
        _ name: String,
        _ model: Model,
        _ provider: Int,
        _ live: LiveModel? = nil,
        isListed: Bool = true
    ) {
        if panels.hides(name) { return }
        let rank = providers[provider].rank
        // Settings may name it by the id that its short name stands for.
        let isByID = shortNames[model.id] == name
        let weight = rank.weight(of: isByID && rank.weights[name] == nil ? model.id : name)
        // A name that nobody else serves is unknown, and no other model stands in for it.
        guard weight > 0 else {
            forbidden[name] = model
            return
        }
        let offer = Offer(
            provider: provider,
            model: model,
            rank: Rank(weight: weight, priority: rank.priority, retries: rank.retries),
            price: providers[provider].prices.price(
                of: isByID && providers[provider].prices.ofModels[name] == nil ? model.id : name
            )
        )
        if let place = places[name] {
            all[place].offers.append(offer)
        } else {
            places[name] = all.count
            all.append(Named(name: name, offers: [offer]))
        }
        if isListed { listing.append((name, provider, model, facts(of: model, named: name, at: provider, live))) }
    }

    /// The providers that serve a name, which may be a short one, by priority, then in their order; empty: none.
    package subscript(name: String) -> [Offer] { place(of: name).map { all[$0].offers } ?? searching(name) }

    /// The place of those providers in `all`; nil: there are none.
    package func place(of name: String) -> Int? {
        places[name] ?? places[ruledName(name)] ?? fullNames(of: name).lazy.compactMap { places[$0] }.first
    }

    /// Some vendor's list was not read yet.
    package var isAwaitingList: Bool { providers.contains { $0.servesList && $0.list == nil } }

    /// A list that was not read yet may have a model of this name, which the caller may then use.
    package func mayBeListed(_ name: String, for caller: Caller) -> Bool {
        isAwaitingList && forbiddenModel(name) == nil && caller.mayUse(name, ofPassthrough: false)
    }

    func forbiddenModel(_ name: String) -> Model? {
        forbidden[name] ?? forbidden[ruledName(name)] ?? fullNames(of: name).lazy.compactMap { forbidden[$0] }.first
    }

    /// The models that may be named and that end on a day, each once.
    package var ending: [(name: String, day: Day)] {
        var seen: Set<String> = []
        return listing.compactMap { name, _, model, _ in
            guard let day = model.shutdownDate, seen.insert(name).inserted else { return nil }
            return (name, day)
        }
    }

    private func fullNames(of name: String) -> [String] { catalogues.compactMap { $0.fullID(name) } }

    /// The full and the short ones.
    private func otherNames(of name: String) -> [String] {
        fullNames(of: name) + catalogues.compactMap { $0.shortName(name) }
    }

    /// The name by which the caller may use a listed model; nil: the caller may not.
    func usable(_ name: String, at provider: Int, for caller: Caller) -> String? {
        let isPassthrough = providers[provider].isPassthrough
        if mayUse(name, caller, ofPassthrough: isPassthrough) { return name }
        let other = otherNames(of: name).first { caller.mayUse($0, ofPassthrough: isPassthrough) }
        return other.flatMap { $0.isUUID ? nil : $0 }
    }

    /// True if the caller may use some model of the provider at that place.
    package func serve(_ caller: Caller, at provider: Int) -> Bool {
        listing.contains { $0.provider == provider && usable($0.name, at: provider, for: caller) != nil }
            || replacedNames.contains { name in
                caller.mayUse(name, ofPassthrough: providers[provider].isPassthrough)
                    && serves(replacement(of: name) ?? name, at: provider)
            }
    }

    /// All that may be named, in the order of providers.
    package var names: [String] { listing.map(\.name) }

    /// The same, and panels.
    package var allNames: [String] { names + panels.all.map(\.name) }

    /// Names at providers that hold credentials, as patterns may mean them.
    var namesWithCredentials: [String] {
        let own = listing.filter { !providers[$0.provider].isPassthrough }.map(\.name)
        return own + own.flatMap(otherNames) + panels.all.map(\.name)
    }
}

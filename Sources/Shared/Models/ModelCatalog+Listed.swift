import Engine

/// The models as `GET /v1/models` lists them.
extension ModelCatalog {
    package struct Listed: Sendable, Equatable {
        package private(set) var id: String
        package let owner: String
        /// The shutdown date of the model at the first provider that serves it; nil if unknown.
        package private(set) var shutdownDate: Day?
        /// The creation time in seconds since 1970; nil if unknown.
        package var created: Int?
        /// Whether the settings name a replacement for the model.
        package private(set) var isReplaced = false
        package fileprivate(set) var facts = ModelFacts()
        /// The union of the features that the model has at the providers that serve it.
        package fileprivate(set) var features: Model.Features = []

        /// Returns a copy of this entry with another model name.
        func named(_ name: String) -> Listed {
            var other = self
            (other.id, other.facts.displayName) = (name, nil)
            return other
        }
    }

    /// Returns the facts about a provider's model, such as its context window.
    /// - Parameter live: the model on the vendor's list; nil if it is not there or the list was not read yet.
    func facts(of model: Model, named name: String, at index: Int, _ live: LiveModel?) -> ModelFacts {
        let provider = providers[index]
        var facts = ModelFacts(model, isOfCatalogue: provider.catalogue != nil, searches: provider.hasSearchSuffix)
        if let live {
            facts.correct(by: live.facts)
            facts.created = live.created
            if !name.hasSameBytes(as: live.id) { facts.displayName = nil }
        }
        if let price = provider.prices.price(of: name, listed: live?.facts.price), price.pricesTokens {
            facts.price = ListedPrice(price)
        }
        if !provider.facts.supportsTools { facts.set(.tools, false) }
        if !provider.facts.acceptsImages { facts.set(.vision, false) }
        if let own = provider.facts.ofModels[name] { facts.correct(by: own) }
        return facts
    }

    /// Returns the models that the caller may use, in the order of providers. Panels come last.
    /// - Parameter refusers: the names of the passthrough providers whose vendors reject the caller's key.
    package func listed(for caller: Caller, refusedBy refusers: Set<String> = []) -> [Listed] {
        var indices: [String: Int] = [:]
        var listed: [Listed] = []
        for (name, index, model, facts) in listing {
            guard !refusers.contains(providers[index].name), let name = usable(name, at: index, for: caller) else {
                continue
            }
            if let listedIndex = indices[name] {
                listed[listedIndex].features.formUnion(model.features)
                listed[listedIndex].facts.narrow(by: facts)
            } else {
                indices[name] = listed.count
                listed.append(
                    Listed(
                        id: name,
                        owner: facts.owner ?? providers[index].owner,
                        shutdownDate: model.shutdownDate,
                        created: facts.created,
                        isReplaced: replacements[name] != nil,
                        facts: facts,
                        features: model.features
                    )
                )
            }
        }
        let own = panels.all.filter { mayUse($0, caller) }
        // A panel has its name and no facts.
        return listed + own.map { Listed(id: $0.name, owner: "relay", features: .chat) }
    }

    /// Returns the known facts about a model at one provider; empty if the provider does not list it.
    package func facts(of name: String, at provider: Int) -> ModelFacts {
        listing.first { $0.provider == provider && $0.name == name }?.facts ?? ModelFacts()
    }
}

/// The models that one provider serves, by the names of callers and by the vendor's ids.
package final class ProviderModels: Sendable {
    private let catalog: ModelCatalog
    private let provider: Int

    package init(_ catalog: ModelCatalog, at provider: Int) {
        self.catalog = catalog
        self.provider = provider
    }

    /// Returns the vendor's id of a model that the caller may use by this name, or by another name that stands for this
    /// id; nil if there is none.
    package func id(of name: String, for caller: Caller) -> String? {
        func mayUse(_ name: String) -> Bool {
            catalog.mayUse(name, caller, ofPassthrough: catalog.providers[provider].isPassthrough)
        }
        if let named = catalog[name].first(where: { $0.provider == provider }), mayUse(name) { return named.model.id }
        return served(as: name, where: mayUse)?.model.model.id
    }

    /// Returns the first name and the model with this id of the vendor's; nil if the provider does not serve it.
    package func served(
        as id: String,
        where isWanted: (_ name: String) -> Bool = { _ in true }
    ) -> (name: String, model: ModelCatalog.ServedModel)? {
        for named in catalog.all {
            let model = named.servedModels.first { $0.provider == provider && $0.model.id.hasSameBytes(as: id) }
            if let model, isWanted(named.name) { return (named.name, model) }
        }
        return nil
    }
}

import Engine

/// Models as lists show them.
extension Offers {
    package struct Listed: Sendable, Equatable {
        package private(set) var id: String
        package let owner: String
        /// The day on which the first provider of the model ends it; nil if unknown.
        package let shutdownDate: Day?
        /// Seconds since 1970; nil: not known.
        package var created: Int?
        /// Whether another model is to take its place.
        package let isReplaced: Bool
        package fileprivate(set) var facts: ModelFacts
        /// Of all who may serve it.
        package fileprivate(set) var features: Model.Features = []

        fileprivate init(
            id: String,
            owner: String,
            shutdownDate: Day?,
            created: Int?,
            isReplaced: Bool,
            facts: ModelFacts,
            features: Model.Features
        ) {
            self.id = id
            self.owner = owner
            self.shutdownDate = shutdownDate
            self.created = created
            self.isReplaced = isReplaced
            self.facts = facts
            self.features = features
        }

        /// Creates the entry of a panel, of which only the name is known.
        fileprivate init(panel name: String) {
            self.init(
                id: name,
                owner: "relay",
                shutdownDate: nil,
                created: nil,
                isReplaced: false,
                facts: ModelFacts(),
                features: .chat
            )
        }

        /// Returns the same entry under another name.
        func named(_ name: String) -> Listed {
            var other = self
            other.id = name
            return other
        }
    }

    /// Returns the facts of a model: those of the relay, of the vendor's list, and of the settings, which go first.
    func facts(of model: Model, named name: String, at place: Int, _ live: LiveModel?) -> ModelFacts {
        let provider = providers[place]
        var facts = ModelFacts(model, isOfCatalogue: provider.catalogue != nil, searches: provider.hasSearchSuffix)
        if let live {
            facts.correct(by: live.facts)
            facts.created = live.created
        }
        if let price = provider.prices.price(of: name) { facts.price = ListedPrice(price) }
        if !provider.facts.takesTools { facts.set(.tools, false) }
        if !provider.facts.takesPictures { facts.set(.vision, false) }
        if let own = provider.facts.ofModels[name] { facts.correct(by: own) }
        return facts
    }

    /// The models that the caller may use; providers in their order, their models as configured or by id.
    ///
    /// - Parameter refusers: providers whose vendors do not take the caller's own key.
    package func listed(for caller: Caller, refusedBy refusers: Set<String> = []) -> [Listed] {
        var places: [String: Int] = [:]
        var listed: [Listed] = []
        for (name, index, model, facts) in listing {
            guard !refusers.contains(providers[index].name), let name = usable(name, at: index, for: caller) else {
                continue
            }
            if let place = places[name] {
                listed[place].features.formUnion(model.features)
                listed[place].facts.narrow(by: facts)
            } else {
                places[name] = listed.count
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
        return listed + own.map { Listed(panel: $0.name) }
    }

    /// Returns the facts of a model of one provider.
    package func facts(of name: String, at provider: Int) -> ModelFacts {
        listing.first { $0.provider == provider && $0.name == name }?.facts ?? ModelFacts()
    }
}

package import Engine
package import Shared

/// The configured providers and the models that they serve. Each event loop has its own registry.
package final class Registry: OnLoop, @unchecked Sendable {
    package struct Entry: Sendable {
        package let provider: any ChatVendor
        /// The relay's keys for the provider; nil if callers' keys are forwarded or no key is needed.
        package let keys: KeyRing?
        package let isPassthrough: Bool
        /// Whether the provider charges credits for its calls.
        package let countsCredits: Bool
        /// The capacity limits of the provider's keys; nil if the settings contain no such limits.
        package let capacity: Capacity?
        /// Whether the provider serves calls that name no model.
        let generates: Bool
        /// The traits of chats that the provider's settings exclude: tools, images, both or none.
        let excludedTraits: Candidate.Traits

        package init(
            provider: any ChatVendor,
            keys: KeyRing?,
            isPassthrough: Bool,
            countsCredits: Bool,
            capacity: Capacity? = nil,
            generates: Bool = true,
            excluding excludedTraits: Candidate.Traits = []
        ) {
            self.provider = provider
            self.keys = keys
            self.isPassthrough = isPassthrough
            self.countsCredits = countsCredits
            self.capacity = capacity
            self.generates = generates
            self.excludedTraits = excludedTraits
        }
    }

    package let entries: [Entry]
    /// The APIs whose requests some vendor accepts unchanged.
    private let wires: Set<Wire>
    /// Whether some vendor accepts unchanged requests to OpenAI's endpoints other than chat.
    package let forwards: Bool
    let loop: EventLoop
    package let modelCatalog: ModelCatalog
    /// Whether another model can replace a requested model: the settings contain a fallback model or replacements.
    package let haveSubstitutes: Bool
    let balance: Balance
    /// A function that returns whether all providers of the named model accept OpenAI chat requests unchanged. Can be
    /// used on any thread.
    package let isPassedOn: @Sendable (String) -> Bool
    /// The models of each provider, in the order of `entries`.
    private let models: [ProviderModels]
    /// The cached lists of candidates, by the model name's index in the catalog; nil for a list not needed yet.
    private var lists: [CandidateList?]

    /// - Parameter entries: one entry for each provider in the settings, in their order.
    package init(_ entries: [Entry], _ modelCatalog: ModelCatalog, balance: Balance, on loop: EventLoop) {
        self.loop = loop
        self.entries = entries
        wires = Set(entries.flatMap { $0.provider.wires })
        forwards = entries.contains { $0.provider is any Forwarder }
        self.modelCatalog = modelCatalog
        haveSubstitutes = modelCatalog.haveSubstitutes
        self.balance = balance
        let takeChats = entries.map { $0.provider.wires.contains(.chat) }
        isPassedOn = { name in
            let found = modelCatalog[name]
            return !found.isEmpty && found.allSatisfy { takeChats[$0.provider] }
        }
        models = entries.indices.map { ProviderModels(modelCatalog, at: $0) }
        lists = Array(repeating: nil, count: modelCatalog.all.count)
    }

    /// Returns whether models of the named provider cannot choose between web search and other tools.
    package func lacksOfferedSearch(_ provider: String) -> Bool {
        entries.contains { $0.provider.name == provider && !$0.provider.offersSearch }
    }

    /// Returns whether the named provider accepts Messages requests unchanged.
    package func passesMessages(to provider: String) -> Bool {
        speaks(.messages) && entries.contains { $0.provider.name == provider && $0.provider.wires.contains(.messages) }
    }

    /// Returns whether some vendor may accept unchanged requests to this endpoint.
    package func forwards(_ endpoint: ForwardedEndpoint) -> Bool {
        forwards && entries.contains { ($0.provider as? any Forwarder)?.forwards(endpoint) ?? false }
    }

    /// Returns whether some vendor accepts requests of this API unchanged.
    package func speaks(_ wire: Wire) -> Bool { wires.contains(wire) }

    /// Returns a registry with the same providers and another model catalog.
    package func offering(_ modelCatalog: ModelCatalog) -> Registry {
        Registry(entries, modelCatalog, balance: balance, on: loop)
    }

    /// Returns the cached list of candidates for a model name; nil if there is none that fits this caller and these
    /// features.
    func list(_ name: String, for caller: Caller, able features: Model.Features) -> CandidateList? {
        let served = modelCatalog.replacement(of: name) ?? name
        guard let list = list(of: served, asked: name, for: caller), !list.features.isDisjoint(with: features),
            list.all[0].name == served
        else { return nil }
        return list.passOnKeys == true ? list.withCallers(caller.passedKey) : list
    }

    /// Returns the list of all candidates for a model name; nil if the name is unknown or the caller may not use all of
    /// them.
    /// - Parameters:
    ///   - served: the name of the model that serves the request.
    ///   - name: the requested name, for which the caller needs the permission.
    private func list(of served: String, asked name: String, for caller: Caller) -> CandidateList? {
        guard let index = modelCatalog.index(of: served) else { return nil }
        let list = lists[index] ?? madeList(index)
        guard let isPassthrough = list.passOnKeys, modelCatalog.mayUse(name, caller, ofPassthrough: isPassthrough)
        else { return nil }
        return list
    }

    @inline(never)  // Called once for each model.
    private func madeList(_ index: Int) -> CandidateList {
        let named = modelCatalog.all[index]
        let passed = named.servedModels.count { entries[$0.provider].isPassthrough }
        let list = CandidateList(
            named.servedModels.map { candidate(named.name, $0, fixed: nil) },
            passOnKeys: passed == 0 ? false : passed == named.servedModels.count ? true : nil
        )
        lists[index] = list
        return list
    }

    /// Returns the error for a name under which the caller can use no model.
    package func missing(_ name: String, for caller: Caller) -> APIError {
        modelCatalog.mayBeListed(name, for: caller) ? .listAwaited : modelCatalog.notFound(name, for: caller)
    }

    /// Sets the names of the model of which limits count a call, if some limit depends on models.
    package func setModel(of demand: inout Demand, _ served: String, asked name: String, _ limits: LimitBook) {
        guard limits.dependsOnModels else { return }
        let model = limitedName(served, asked: name)
        demand.model = model
        demand.modelShortName = modelCatalog.shortName(ofLimited: model)
    }

    /// Returns the model name under which limits count a call: the requested name, or the fallback model's name if that
    /// model serves the call.
    func limitedName(_ served: String, asked name: String) -> String {
        let counted = modelCatalog.limitedName(of: served)
        guard haveSubstitutes, name != counted else { return counted }
        if modelCatalog.replacement(of: name).map(modelCatalog.limitedName(of:)) == counted { return name }
        return modelCatalog.limitedName(ofFallback: counted) ?? counted
    }

    func serves(_ servedModel: ModelCatalog.ServedModel, _ features: Model.Features) -> Bool {
        !servedModel.model.features.isDisjoint(with: features)
    }

    func mayUse(_ servedModel: ModelCatalog.ServedModel, _ name: String, caller: Caller) -> Bool {
        let name = servedModel.model.searchesWeb ? modelCatalog.knownName(name) : name
        return modelCatalog.mayUse(name, caller, ofPassthrough: entries[servedModel.provider].isPassthrough)
    }

    /// Returns the prices of all candidates that could serve the same call as this candidate.
    package func prices(of candidate: Candidate, asked name: String, for caller: Caller) -> [Price] {
        if !candidate.allServers.isEmpty { return candidate.allServers.compactMap(\.price) }
        let name = candidate.model.searchesWeb ? modelCatalog.knownName(name) : name
        if let list = list(of: candidate.name, asked: name, for: caller) { return list.prices }
        return modelCatalog[candidate.name].filter { mayUse($0, name, caller: caller) }.compactMap(\.price)
    }

    /// Returns the credit prices of all candidates that could serve the same call as this candidate.
    package func creditPrices(of candidate: Candidate, asked name: String, for caller: Caller) -> [CreditPrices] {
        if !candidate.allServers.isEmpty { return candidate.allServers.compactMap(\.credits) }
        let name = candidate.model.searchesWeb ? modelCatalog.knownName(name) : name
        if let list = list(of: candidate.name, asked: name, for: caller) { return list.creditPrices }
        let others = modelCatalog[candidate.name].filter {
            mayUse($0, name, caller: caller) && entries[$0.provider].countsCredits
        }
        return (candidate.server.credits.map { [$0] } ?? []) + others.map(\.model.creditPrices)
    }

    func candidate(_ name: String, _ servedModel: ModelCatalog.ServedModel, _ caller: Caller) -> Candidate {
        let isPassthrough = entries[servedModel.provider].isPassthrough
        return candidate(name, servedModel, fixed: isPassthrough ? Credential(passedOn: caller.passedKey) : nil)
    }

    private func candidate(_ name: String, _ servedModel: ModelCatalog.ServedModel, fixed: Credential?) -> Candidate {
        let entry = entries[servedModel.provider]
        let server = Billing.Server(
            entry.provider.name,
            name: servedModel.model.searchesWeb ? modelCatalog.knownName(name) : name,
            model: servedModel.model.id,
            price: servedModel.price,
            credits: entry.countsCredits ? servedModel.model.creditPrices : nil,
            shutdownDate: servedModel.model.shutdownDate,
            models: models[servedModel.provider]
        )
        return Candidate(
            server: server,
            provider: entry.provider,
            model: servedModel.model,
            keys: entry.keys,
            fixed: fixed,
            capacity: entry.capacity,
            excludedTraits: entry.excludedTraits,
            offeredBy: servedModel.provider,
            rank: servedModel.rank,
            reports: balance.reports(ofProvider: servedModel.provider),
            balance: balance,
            loop: loop
        )
    }
}

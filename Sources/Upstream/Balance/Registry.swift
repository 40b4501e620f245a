package import Calls
package import Engine
package import Shared

/// The target of a chat request: the candidates that can serve it, or a panel.
package enum ChatTarget: Sendable {
    case candidates(Candidates)
    indirect case panel(Panel)
}

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
        let spared: Candidate.Traits

        package init(
            provider: any ChatVendor,
            keys: KeyRing?,
            isPassthrough: Bool,
            countsCredits: Bool,
            capacity: Capacity? = nil,
            generates: Bool = true,
            sparing spared: Candidate.Traits = []
        ) {
            self.provider = provider
            self.keys = keys
            self.isPassthrough = isPassthrough
            self.countsCredits = countsCredits
            self.capacity = capacity
            self.generates = generates
            self.spared = spared
        }
    }

    package let entries: [Entry]
    /// Whether some vendor accepts OpenAI chat requests unchanged.
    private let speaksChat: Bool
    /// Whether some vendor accepts Messages requests unchanged.
    private let speaksMessages: Bool
    /// Whether some vendor accepts unchanged requests to OpenAI's endpoints other than chat.
    package let forwards: Bool
    let loop: EventLoop
    package let modelCatalog: ModelCatalog
    /// Whether another model can replace a requested model: the settings contain a fallback model or replacements.
    package let haveSubstitutes: Bool
    /// A filter that removes the progress lines of all panels from the earlier messages of a request.
    package let marks: PanelProgressLines
    let balance: Balance
    /// A function that returns whether all providers of the named model accept OpenAI chat requests unchanged. Can be
    /// used on any thread.
    package let isPassedOn: @Sendable (String) -> Bool
    /// The cached lists of candidates, by the model name's position in the catalog; nil for a list not needed yet.
    private var lists: [CandidateList?]

    /// Creates a registry.
    ///
    /// - Parameter entries: one entry for each provider in the settings, in their order.
    package init(_ entries: [Entry], _ modelCatalog: ModelCatalog, balance: Balance, on loop: EventLoop) {
        self.loop = loop
        self.entries = entries
        speaksChat = entries.contains { $0.provider.wires.contains(.chat) }
        speaksMessages = entries.contains { $0.provider.wires.contains(.messages) }
        forwards = entries.contains { $0.provider is any Forwarder }
        self.modelCatalog = modelCatalog
        haveSubstitutes = modelCatalog.haveSubstitutes
        marks = PanelProgressLines(of: modelCatalog.panels.all)
        self.balance = balance
        let takeChats = entries.map { $0.provider.wires.contains(.chat) }
        isPassedOn = { name in
            let found = modelCatalog[name]
            return !found.isEmpty && found.allSatisfy { takeChats[$0.provider] }
        }
        lists = Array(repeating: nil, count: modelCatalog.all.count)
    }

    /// Returns whether models of the named provider cannot choose between web search and other tools.
    package func lacksOfferedSearch(_ provider: String) -> Bool {
        entries.contains { $0.provider.name == provider && !$0.provider.offersSearch }
    }

    /// Returns whether the named provider accepts Messages requests unchanged.
    package func passesMessages(to provider: String) -> Bool {
        speaksMessages && entries.contains { $0.provider.name == provider && $0.provider.wires.contains(.messages) }
    }

    /// Returns whether some vendor accepts requests of this API unchanged.
    package func speaks(_ wire: Wire) -> Bool {
        switch wire {
        case .chat: speaksChat
        case .messages: speaksMessages
        case .completions: false
        }
    }

    /// Returns a registry with the same providers and another model catalog.
    package func offering(_ modelCatalog: ModelCatalog) -> Registry {
        Registry(entries, modelCatalog, balance: balance, on: loop)
    }

    /// Returns the candidates for a chat with the named model, or the panel with this name. Accepts models that make
    /// images or speech, too.
    ///
    /// - Throws: the error for an unknown model, also if the caller may not use the model.
    package func target(_ name: String, for caller: Caller) throws(APIError) -> ChatTarget {
        if let list = list(name, for: caller, able: .chatting) {
            return .candidates(Candidates(list, balance, for: caller))
        }
        return switch try resolve(name, caller, features: .chatting) {
        case .servedModel(let found): .candidates(candidates(found, name, caller: caller, features: .chatting))
        case .panel(let panel): .panel(panel)
        }
    }

    /// Returns the target for a member of a panel: the candidates of a model, or another panel.
    ///
    /// - Parameters:
    ///   - name: the member's name in the settings of the panel.
    ///   - caller: the caller, with the permission for the member from `Caller.allowingAllModels(ifAllowed:)`.
    package func target(ofMember name: String, for caller: Caller) throws(APIError) -> ChatTarget {
        switch modelCatalog.member(name) {
        case nil: throw modelCatalog.isAwaitingList ? .listAwaited : .modelNotFound(name)
        case .panel(let panel): return .panel(panel)
        case .model(let model, let position):
            let all = modelCatalog.servedModels(of: model, at: position)
            guard
                let first = all.indices.first(where: {
                    serves(all[$0], .chatting) && mayUse(all[$0], model, caller: caller)
                })
            else { throw .modelNotFound(name) }
            let found = FoundModel(name: model, servedModels: all, index: first)
            return .candidates(candidates(found, model, caller: caller, features: .chatting))
        }
    }

    /// Returns the candidates for a chat with the named model. For the name of a panel, returns those of its summary
    /// model.
    package func chat(_ name: String, for caller: Caller) throws(APIError) -> Candidates {
        var target = try target(name, for: caller)
        var caller = caller
        while case .panel(let panel) = target {
            caller = caller.allowingAllModels(ifAllowed: name)
            target = try self.target(ofMember: panel.text.summary, for: caller)
        }
        guard case .candidates(let candidates) = target else { throw .modelNotFound(name) }
        return candidates
    }

    /// Returns the candidates for a call of the named model, which must have one of `features`.
    package func candidates(
        _ name: String,
        for caller: Caller,
        able features: Model.Features
    ) throws(APIError) -> Candidates {
        if let list = list(name, for: caller, able: features) { return Candidates(list, balance, for: caller) }
        return candidates(try find(name, caller, features: features), name, caller: caller, features: features)
    }

    /// Returns the cached list of candidates for a model name; nil if there is none that fits this caller and these
    /// features.
    private func list(_ name: String, for caller: Caller, able features: Model.Features) -> CandidateList? {
        let served = modelCatalog.replacement(of: name) ?? name
        guard let list = list(of: served, asked: name, for: caller), !list.features.isDisjoint(with: features),
            list.all[0].name == served
        else { return nil }
        return list.passOnKeys == true ? list.withCallers(caller.passedKey) : list
    }

    /// Returns the list of all candidates for a model name; nil if the name is unknown or the caller may not use all of
    /// them.
    ///
    /// - Parameters:
    ///   - served: the name of the model that serves the request.
    ///   - name: the requested name, for which the caller needs the permission.
    private func list(of served: String, asked name: String, for caller: Caller) -> CandidateList? {
        guard let position = modelCatalog.position(of: served) else { return nil }
        let list = lists[position] ?? madeList(position)
        guard let isPassthrough = list.passOnKeys, modelCatalog.mayUse(name, caller, ofPassthrough: isPassthrough)
        else { return nil }
        return list
    }

    @inline(never)  // Called once for each model.
    private func madeList(_ position: Int) -> CandidateList {
        let named = modelCatalog.all[position]
        let passed = named.servedModels.count { entries[$0.provider].isPassthrough }
        let list = CandidateList(
            named.servedModels.map { candidate(named.name, $0, fixed: nil) },
            passOnKeys: passed == 0 ? false : passed == named.servedModels.count ? true : nil
        )
        lists[position] = list
        return list
    }

    private func candidates(
        _ found: FoundModel,
        _ name: String,
        caller: Caller,
        features: Model.Features
    ) -> Candidates {
        var all = [candidate(found, caller)]
        for index in found.index + 1..<max(found.index + 1, found.servedModels.count) {
            let servedModel = found.servedModels[index]
            guard serves(servedModel, features), mayUse(servedModel, name, caller: caller) else { continue }
            all.append(candidate(FoundModel(name: found.name, servedModels: found.servedModels, index: index), caller))
        }
        return Candidates(CandidateList(all), balance, for: caller)
    }

    /// Returns the first candidate for the named model that has a key outside cooldown and no open circuit breaker.
    /// Returns the first one if none has.
    ///
    /// - Parameter features: the features of which the model must have one.
    package func candidate(
        _ name: String,
        for caller: Caller,
        able features: Model.Features
    ) throws(APIError) -> Candidate {
        try candidates(name, for: caller, able: features).firstHealthy
    }

    /// Returns a candidate for uploading a file before the request has named its model; nil if there is none.
    package func uploader(for caller: Caller, able features: Model.Features) -> Candidates? {
        for name in modelCatalog.names + modelCatalog.replacedNames {
            guard let candidate = try? candidate(name, for: caller, able: features) else { continue }
            return Candidates(CandidateList([candidate]), balance, for: caller)
        }
        return nil
    }

    /// Returns the candidate for the named model that uses the provider and the key of an earlier file upload.
    ///
    /// - Parameters:
    ///   - uploader: the candidate to whose provider the file was uploaded.
    ///   - call: the call that uploaded the file.
    package func candidate(
        _ name: String,
        for caller: Caller,
        able features: Model.Features,
        holding uploader: Candidate,
        _ call: Attempt
    ) throws(APIError) -> Candidate {
        if let found = try? find(name, caller, features: features, at: uploader.provider) {
            return candidate(found, caller).with(call.credential)
        }
        _ = try find(name, caller, features: features)
        throw .value("model", "put 'model' before 'file' in the form, because not every provider serves this model")
    }

    /// A provider's model and its index among all served models with the same name.
    struct FoundModel {
        let name: String
        let servedModels: [ModelCatalog.ServedModel]
        let index: Int

        var servedModel: ModelCatalog.ServedModel { servedModels[index] }
    }

    private enum Resolution {
        case servedModel(FoundModel)
        indirect case panel(Panel)
    }

    /// Returns the error for a name under which the caller can use no model.
    package func missing(_ name: String, for caller: Caller) -> APIError {
        modelCatalog.mayBeListed(name, for: caller) ? .listAwaited : modelCatalog.notFound(name, for: caller)
    }

    /// Returns the first model that the caller may use and that has this name and one of `features`.
    ///
    /// - Parameter provider: the only provider to consider; nil for any provider.
    private func find(
        _ name: String,
        _ caller: Caller,
        features: Model.Features,
        at provider: (any ChatVendor)? = nil
    ) throws(APIError) -> FoundModel {
        switch try resolve(name, caller, features: features, at: provider) {
        case .servedModel(let found): return found
        case .panel: throw modelCatalog.notFound(name, for: caller, able: features)
        }
    }

    private func resolve(
        _ name: String,
        _ caller: Caller,
        features: Model.Features,
        at provider: (any ChatVendor)? = nil
    ) throws(APIError) -> Resolution {
        func fits(_ servedModel: ModelCatalog.ServedModel) -> Bool {
            serves(servedModel, features) && (provider == nil || provider === entries[servedModel.provider].provider)
        }
        var known: Model?
        let served = modelCatalog.replacement(of: name) ?? name
        let all = modelCatalog[served]
        for index in all.indices where mayUse(all[index], name, caller: caller) {
            if fits(all[index]) { return .servedModel(FoundModel(name: served, servedModels: all, index: index)) }
            known = known ?? all[index].model
        }
        if let known { throw modelCatalog.unable(name, known.features, for: caller, able: features) }
        if modelCatalog.lacksSearch(served),
            caller.mayUse(modelCatalog.knownName(name), ofPassthrough: false)
                || caller.mayUse(modelCatalog.knownName(name), ofPassthrough: true)
        {
            throw .value("model", "\(ModelCatalog.online) requests a web search, which this model does not support")
        }
        // The name of a panel is never a provider's model, so only names without a model are looked up among panels.
        if let panel = modelCatalog.panels[served], modelCatalog.mayUse(panel, asked: name, caller) {
            return .panel(panel)
        }
        if modelCatalog.mayBeListed(name, for: caller) { throw .listAwaited }
        // The caller needs the permission for the requested name, not for the fallback's.
        let others = modelCatalog.substitutes(for: name)
        for index in others.indices where mayUse(others[index], name, caller: caller) && fits(others[index]) {
            return .servedModel(FoundModel(name: modelCatalog.fallback ?? name, servedModels: others, index: index))
        }
        if let panel = modelCatalog.substitutePanel(for: name), modelCatalog.mayUse(panel, asked: name, caller) {
            return .panel(panel)
        }
        throw modelCatalog.notFound(name, for: caller, able: features)
    }

    /// Returns the model name under which limits count a call: the requested name, or the fallback model's name if that
    /// model serves the call.
    package func limitedName(_ served: String, asked name: String) -> String {
        let served = modelCatalog.ruledName(served)
        guard haveSubstitutes, name != served else { return served }
        return modelCatalog.replacement(of: name) == served
            ? name : modelCatalog.limitedName(ofFallback: served) ?? served
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
        if !candidate.rivals.isEmpty { return candidate.rivals.compactMap(\.price) }
        let name = candidate.model.searchesWeb ? modelCatalog.knownName(name) : name
        if let list = list(of: candidate.name, asked: name, for: caller) { return list.prices }
        return modelCatalog[candidate.name].filter { mayUse($0, name, caller: caller) }.compactMap(\.price)
    }

    /// Returns the credit prices of all candidates that could serve the same call as this candidate.
    package func creditPrices(
        of candidate: Candidate,
        asked name: String,
        for caller: Caller
    ) -> [CreditPrices] {
        if !candidate.rivals.isEmpty { return candidate.rivals.compactMap(\.credits) }
        let name = candidate.model.searchesWeb ? modelCatalog.knownName(name) : name
        if let list = list(of: candidate.name, asked: name, for: caller) { return list.creditPrices }
        let others = modelCatalog[candidate.name].filter {
            mayUse($0, name, caller: caller) && entries[$0.provider].countsCredits
        }
        return (candidate.server.credits.map { [$0] } ?? []) + others.map(\.model.creditPrices)
    }

    func candidate(_ found: FoundModel, _ caller: Caller) -> Candidate {
        let isPassthrough = entries[found.servedModel.provider].isPassthrough
        return candidate(
            found.name,
            found.servedModel,
            fixed: isPassthrough ? Credential(passedOn: caller.passedKey) : nil
        )
    }

    private func candidate(_ name: String, _ servedModel: ModelCatalog.ServedModel, fixed: Credential?) -> Candidate {
        let entry = entries[servedModel.provider]
        let server = Billing.Server(
            entry.provider.name,
            name: servedModel.model.searchesWeb ? modelCatalog.knownName(name) : name,
            model: servedModel.model.id,
            price: servedModel.price,
            credits: entry.countsCredits ? servedModel.model.creditPrices : nil,
            shutdownDate: servedModel.model.shutdownDate
        )
        return Candidate(
            server: server,
            provider: entry.provider,
            model: servedModel.model,
            keys: entry.keys,
            fixed: fixed,
            capacity: entry.capacity,
            spared: entry.spared,
            offeredBy: servedModel.provider,
            rank: servedModel.rank,
            reports: balance.reports(ofProvider: servedModel.provider),
            lone: LoneCandidate(
                entry.keys,
                balance,
                breakerKey: Balance.BreakerKey(provider: servedModel.provider, model: servedModel.model.id)
            ),
            loop: loop
        )
    }
}

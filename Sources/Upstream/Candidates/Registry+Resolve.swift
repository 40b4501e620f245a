package import Shared

/// The candidates or the panel that can serve a request.
package enum Resolution: Sendable {
    case candidates(Candidates)
    indirect case panel(Panel)

    /// The candidates; nil for a panel.
    package var candidates: Candidates? { if case .candidates(let all) = self { all } else { nil } }
}

/// The models that a request asks for.
package enum ModelWish: Sendable {
    /// The model or the panel with this name, or the one that replaces it.
    case named(String)
    /// A member of a panel, by its name in the panel's settings.
    case member(String)
    /// The model with this name at providers that forward the request to the endpoint, or whose model can serve it.
    /// If there are none, all providers of the model. `substituting`: whether the fallback model is used, too.
    case forwarded(String, to: ForwardedEndpoint, substituting: Bool)
    /// One model of each provider that serves calls without a model name, sorted by priority and then by price.
    case anyModel
    /// One model of each provider that has a capacity limit and can serve calls with these needs. The provider with
    /// the most free capacity is tried first.
    case leastLoaded(Abilities)
}

extension Registry {
    /// Returns the candidates or the panel for what a request asks for.
    /// - Parameter features: the features of which a candidate's model must have one.
    /// - Throws: the error for an unknown model, also if the caller may not use the model.
    package func resolve(
        _ wish: ModelWish,
        for caller: Caller,
        able features: Model.Features = .chatting
    ) throws(APIError) -> Resolution {
        switch wish {
        case .named(let name):
            if let list = list(name, for: caller, able: features) {
                return .candidates(Candidates(list, balance, for: caller))
            }
            return try resolved(name, for: caller, able: features)
        case .member(let name):
            switch modelCatalog.member(name) {
            case nil: throw modelCatalog.isAwaitingList ? .listAwaited : .modelNotFound(name)
            case .panel(let panel): return .panel(panel)
            case .model(let model, let index):
                let served = modelCatalog.servedModels(of: model, at: index)
                let able = usable(served, as: model, asked: model, caller, able: features)
                guard !able.isEmpty else { throw .modelNotFound(name) }
                return candidates(able, caller)
            }
        case .forwarded(let name, let endpoint, let isSubstituting):
            return try forwarding(name, to: endpoint, for: caller, able: features, isSubstituting: isSubstituting)
        case .anyModel:
            let all = generating(for: caller) { $0.generates }
            let costs = all.map { ($0.price?.promptPicodollars ?? 0) + ($0.price?.completionPicodollars ?? 0) }
            let order = all.indices.sorted {
                (all[$0].rank.priority, costs[$0], $0) < (all[$1].rank.priority, costs[$1], $1)
            }
            guard !all.isEmpty else { throw .modelNotFound("") }
            return candidates(order.map { all[$0] }, caller, order: .listed)
        case .leastLoaded(let needs):
            let all = generating(for: caller) { $0.capacity != nil && $0.takes(needs) }
            guard !all.isEmpty else { throw .modelNotFound("") }
            return candidates(all, caller, order: .byLoad)
        }
    }

    /// Returns the candidates for a call of the named model, which must have one of `features`.
    package func candidates(
        _ name: String,
        for caller: Caller,
        able features: Model.Features
    ) throws(APIError) -> Candidates {
        if let found = try resolve(.named(name), for: caller, able: features).candidates { return found }
        throw modelCatalog.notFound(name, for: caller, able: features)
    }

    /// Returns the candidates for a chat with the named model. For the name of a panel, returns those of its summary
    /// model.
    package func chat(_ name: String, for caller: Caller) throws(APIError) -> Candidates {
        var resolution = try resolve(.named(name), for: caller)
        var caller = caller
        while case .panel(let panel) = resolution {
            caller = caller.allowingAllModels(ifAllowed: name)
            resolution = try resolve(.member(panel.text.summary), for: caller)
        }
        guard let candidates = resolution.candidates else { throw .modelNotFound(name) }
        return candidates
    }

    /// Returns the candidates of the named model. If the request has not named its model yet, returns those of the first
    /// model with these features, in a fixed order.
    package func candidates(
        _ name: String?,
        for caller: Caller,
        able features: Model.Features
    ) throws(APIError) -> Candidates {
        if let name { return try candidates(name, for: caller, able: features) }
        for name in modelCatalog.names + modelCatalog.replacedNames {
            guard let found = try? candidates(name, for: caller, able: features) else { continue }
            let first = found.firstHealthy
            let others = found.list.all.filter { $0 !== first }
            return Candidates(CandidateList([first]), balance, for: caller).then(others)
        }
        throw .missing("model")
    }

    private func resolved(
        _ name: String,
        for caller: Caller,
        able features: Model.Features
    ) throws(APIError) -> Resolution {
        let served = modelCatalog.replacement(of: name) ?? name
        let all = modelCatalog[served]
        let able = usable(all, as: served, asked: name, caller, able: features)
        if !able.isEmpty { return candidates(able, caller) }
        if let known = all.first(where: { mayUse($0, name, caller: caller) }) {
            throw modelCatalog.unable(name, known.model.features, for: caller, able: features)
        }
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
        let others = substitutes(for: name, caller, able: features)
        if !others.isEmpty { return candidates(others, caller) }
        if let panel = modelCatalog.substitutePanel(for: name, caller) { return .panel(panel) }
        throw modelCatalog.notFound(name, for: caller, able: features)
    }

    private func forwarding(
        _ name: String,
        to endpoint: ForwardedEndpoint,
        for caller: Caller,
        able features: Model.Features,
        isSubstituting: Bool
    ) throws(APIError) -> Resolution {
        let isWanted = { (one: Candidate) in
            one.forwarder(endpoint) != nil || !one.model.features.isDisjoint(with: features)
        }
        let served = modelCatalog.replacement(of: name) ?? name
        let known = usable(modelCatalog[served], as: served, asked: name, caller)
        var wanted = known.filter { isWanted($0) }
        if known.isEmpty {
            if modelCatalog.panels[served] == nil, modelCatalog.mayBeListed(name, for: caller) { throw .listAwaited }
            wanted = isSubstituting ? substitutes(for: name, caller).filter(isWanted) : []
            if wanted.isEmpty { throw modelCatalog.notFound(name, for: caller) }
        }
        return candidates(wanted.isEmpty ? known : wanted, caller)
    }

    /// Returns the candidates of the fallback model that replaces a model which no provider has.
    ///
    /// The caller needs the permission for the requested name, and for the fallback unless that name is listed exactly.
    private func substitutes(for name: String, _ caller: Caller, able features: Model.Features? = nil) -> [Candidate] {
        let own = modelCatalog.fallback ?? name
        let served = modelCatalog.substitutes(for: name).filter {
            let isPassthrough = entries[$0.provider].isPassthrough
            return modelCatalog.maySubstitute(for: name, caller, ofPassthrough: isPassthrough)
        }
        return usable(served, as: own, asked: name, caller, able: features)
    }

    /// Returns a candidate for each served model that the caller may use.
    /// - Parameters:
    ///   - own: the relay's name of the model.
    ///   - name: the requested name, for which the caller needs the permission.
    ///   - features: the features of which a model must have one; nil for all models.
    private func usable(
        _ served: [ModelCatalog.ServedModel],
        as own: String,
        asked name: String,
        _ caller: Caller,
        able features: Model.Features? = nil
    ) -> [Candidate] {
        served.compactMap {
            if let features, !serves($0, features) { return nil }
            return mayUse($0, name, caller: caller) ? candidate(own, $0, caller) : nil
        }
    }

    /// Returns the candidates of wanted providers for a call that names no model. Each knows the prices of all.
    private func generating(for caller: Caller, _ isWanted: (Entry) -> Bool) -> [Candidate] {
        let all = entries.indices.compactMap { index -> Candidate? in
            guard isWanted(entries[index]), let found = modelCatalog.generating(at: index),
                serves(found.servedModel, [.chat, .code]), mayUse(found.servedModel, found.asked, caller: caller)
            else { return nil }
            return candidate(found.name, found.servedModel, caller)
        }
        let allServers = all.map(\.server)
        return all.map { $0.with(allServers: allServers) }
    }

    private func candidates(_ all: [Candidate], _ caller: Caller, order: Candidates.Order = .balanced) -> Resolution {
        .candidates(Candidates(CandidateList(all), balance, for: caller, order: order))
    }
}

extension Registry.Entry {
    /// Returns whether the provider's settings allow calls that need these abilities.
    fileprivate func takes(_ needs: Abilities) -> Bool {
        !excludedTraits.contains(.tools) || needs.isDisjoint(with: [.tools, .functions, .customTools])
    }
}

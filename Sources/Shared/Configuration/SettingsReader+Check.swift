import Engine

/// Checks of settings that are each valid but do not fit together.
extension SettingsReader {
    mutating func check(_ settings: Settings, _ catalogues: Catalogues) {
        reportUnusableProviders(settings)
        refuseLoops(settings)
        reportStrayTokens(settings)
        refuseSharedKeys(settings)
        warnOfTokens(settings)
        checkLimits(settings)
        checkPrices(settings)
        checkMemory(settings)
        warnOfMistakes(settings)
        guard !hasProblemOfModels else { return }
        let modelCatalog = ModelCatalog(settings, catalogues)
        let named = [
            ("DEFAULT_MODEL", settings.defaultModel), ("FALLBACK_MODEL", settings.fallbackModel),
            ("GENERATE_MODEL", settings.generateModel),
        ]
        for (name, model) in named {
            guard let model, modelCatalog[model].isEmpty, modelCatalog.panels[model] == nil else { continue }
            check(.global(name), "no provider serves \"\(model)\"", near: model, modelCatalog)
        }
        for (index, provider) in settings.providers.enumerated() {
            guard let model = provider.generateModel, !modelCatalog[model].contains(where: { $0.provider == index })
            else {
                continue
            }
            check(provider.key("GENERATE_MODEL"), "the provider does not serve \"\(model)\"", near: model, modelCatalog)
        }
        for (name, other) in settings.replacements.sorted(by: { $0.key < $1.key })
        where modelCatalog[other].isEmpty && modelCatalog.panels[other] == nil {
            let text = "no provider serves \"\(other)\", which replaces \"\(name)\""
            check("MODEL_REPLACEMENTS", text, near: other, modelCatalog)
        }
        if let own = settings.replacements.first(where: { $0.key == $0.value })?.key {
            warn("MODEL_REPLACEMENTS", "\"\(own):\(own)\" has no effect, because it replaces a model by itself")
        }
        checkPanels(settings, modelCatalog)
        checkModelValues(settings, catalogues)
        warnOfPatterns(settings, modelCatalog)
        warnOfModels(settings, catalogues)
        warnOfIdleModels(settings, modelCatalog)
        warnOfPublicUse(settings, modelCatalog)
        warnOfModelLimits(settings.limits.byModel, modelCatalog)
    }

    /// Reports that a setting names a model which no provider serves.
    private mutating func check(_ key: SettingKey, _ text: String, near name: String, _ modelCatalog: ModelCatalog) {
        if modelCatalog.isAwaitingList { return warn(key, text + " under this name; a vendor's list may") }
        // A model that exists but is forbidden by the settings was not misspelt.
        let near = modelCatalog.forbiddenModel(name) == nil ? nearestModel(to: name, among: modelCatalog.allNames) : nil
        report(key, text + hint(near))
    }

    private func hint(_ name: String?, else other: String = "") -> String {
        name.map { "; did you mean \"\($0)\"?" } ?? other
    }

    /// Reports providers that no caller is allowed to use.
    private mutating func reportUnusableProviders(_ settings: Settings) {
        guard settings.keys.isEmpty, settings.anonymousModels.isEmpty else { return }
        guard !hasProblem(with: "ANONYMOUS_MODELS", "KEY_") else { return }
        guard
            !meantNames.contains(where: { $0 == "ANONYMOUS_MODELS" || $0.hasPrefix("KEY_") && $0.hasSuffix("_TOKEN") })
        else { return }
        let text = """
            nobody may use this provider; set KEY_<NAME>_TOKEN or ANONYMOUS_MODELS; `relay key NAME` prints such a line \
            with a new token
            """
        for provider in settings.providers where !provider.isPassthrough {
            let kind = provider.key("KIND")
            report(given[kind] == nil ? "ONE_MIN_API_KEYS" : kind, text)
        }
    }

    /// Reports providers whose base URL leads back to this relay, which would make many requests of one.
    private mutating func refuseLoops(_ settings: Settings) {
        // The proxy decides where an address leads.
        guard settings.upstreamProxy == nil else { return }
        for provider in settings.providers where settings.isReached(by: provider.baseURL) {
            let key = provider.key("BASE_URL")
            let shown = given[key] == nil ? provider.kind.row.urlSetting.map(SettingKey.global) ?? key : key
            report(shown, "is an address of this relay, which would call itself; write the vendor's URL")
        }
    }

    /// Reports providers that would get the tokens which callers have for another provider.
    private mutating func reportStrayTokens(_ settings: Settings) {
        guard settings.keys.contains(where: { $0.family?.rule != nil }),
            let other = settings.providers.first(where: \.passesTokens)
        else { return }
        let name = other.key("PASSTHROUGH").name
        for provider in settings.providers where provider.isPassthrough && !provider.passesTokens {
            let key = provider.key("PASSTHROUGH")
            report(key, "must be jwt, too: it gets the same keys as the provider of \(name)")
        }
    }

    /// Reports callers' tokens that are also keys of providers, or other secrets of the relay.
    private mutating func refuseSharedKeys(_ settings: Settings) {
        let upstream = Set(settings.providers.flatMap(\.apiKeys).map { Digest(of: $0) })
        for key in settings.keys where key.tokens.contains(where: { upstream.contains($0.digest) }) {
            report(key.declaring, "is also a key of a provider; give callers different keys")
        }
        for (key, value) in given where [.token, .phrase, .password].contains(value.row.type) && key.prefix.isEmpty {
            let digest = Digest(of: value.text)
            // Callers do not know the secret of their family.
            let callers = settings.keys.filter { $0.family == nil }
            guard let caller = callers.first(where: { $0.tokens.contains { $0.digest == digest } }) else { continue }
            let text = "is also \(caller.declaring.name), which callers know; write another value"
            if value.row.type == .password { report(key, text) } else { warn(key, text) }
        }
    }

    /// Warns if a caller's token gives access to no provider. Also warns if file ids depend on one of a caller's
    /// several tokens.
    private mutating func warnOfTokens(_ settings: Settings) {
        let isProviderMeant =
            hasProblem(with: "PROVIDER", "ONE_MIN_")
            || unknownNames.contains { ForeignVariables.advice(for: $0) != nil }
            || meantNames.contains { $0.hasPrefix("PROVIDER_") || $0.hasPrefix("ONE_MIN_") }
        let isSealedByToken = settings.fileSecret == nil && given["FILE_ID_SECRET"] == nil
        for key in settings.keys {
            let setting = key.declaring
            if key.tokens.count > 1, key.family == nil, isSealedByToken {
                warn(
                    setting,
                    """
                    without FILE_ID_SECRET file ids are encrypted with the first token and can be read with any of them: \
                    an id becomes invalid when its token is removed from the list
                    """
                )
            }
            if settings.providers.allSatisfy(\.isPassthrough), !isProviderMeant {
                warn(
                    setting,
                    """
                    no provider has a key of the relay's own, so this caller may use nothing; set ONE_MIN_API_KEYS or \
                    PROVIDER_<NAME>_API_KEYS
                    """
                )
            }
        }
    }

    private mutating func warnOfPatterns(_ settings: Settings, _ modelCatalog: ModelCatalog) {
        // The names on a list that is not read yet are unknown.
        guard !modelCatalog.isAwaitingList else { return }
        let names = modelCatalog.namesWithCredentials
        warnOfPatterns("ANONYMOUS_MODELS", settings.anonymousModels, names, modelCatalog)
        if settings.providers.allSatisfy(\.isPassthrough) { return }
        if given["CACHE_MODELS"] != nil {
            let ofRequests = modelCatalog.allNames + settings.replacements.keys
            warnOfPatterns("CACHE_MODELS", patterns("CACHE_MODELS"), ofRequests, modelCatalog)
        }
        let ofCallers = given.keys.filter { ["KEY_", "GROUP_"].contains($0.prefix) && $0.field == "MODELS" }
        for key in ofCallers.sorted(by: { $0.name < $1.name }) where !problems.contains(where: { $0.name == key.name })
        {
            warnOfPatterns(key, patterns(key), names, modelCatalog)
        }
        for key in settings.keys where !names.contains(where: { Caller(known: key).mayUse($0, ofPassthrough: false) }) {
            let lists = [key.models] + key.groups.map(\.models)
            // Of a list that matches no model, each pattern has its warning.
            guard lists.allSatisfy({ list in names.contains { list.match($0) } }) else { continue }
            let text = "has no model in common with the MODELS of the key and of its other groups, so it may use none"
            warn(KeySettings.key(key.instance, "GROUP"), "\(text); correct one of these lists")
        }
    }

    private mutating func warnOfPatterns(
        _ key: SettingKey,
        _ patterns: [ModelPattern],
        _ names: [String],
        _ modelCatalog: ModelCatalog
    ) {
        for pattern in patterns where !names.contains(where: pattern.matches) {
            if case .exactly(let name) = pattern, modelCatalog.forbiddenModel(name) != nil {
                let text = "\"\(name)\" is not served, because of a weight of 0 or PERMIT_MODELS_FROM_SUBSET_ONLY"
                warn(key, "\(text); correct these settings, or remove the model")
                continue
            }
            let hint = hint(nearestPattern(to: pattern, among: names), else: "; `relay models` lists the names")
            warn(key, "\"\(pattern)\" matches no model of a provider that holds credentials\(hint)")
        }
    }

    /// Reports weights, prices and facts that the settings give to models which their provider does not serve.
    private mutating func checkModelValues(_ settings: Settings, _ catalogues: Catalogues) {
        for provider in settings.providers {
            let weights = provider.rank.weights.keys.sorted().map { (provider.key("WEIGHTS"), $0) }
            let prices = provider.prices.ofModels.keys.sorted().map { (provider.key("COSTS"), $0) }
            let facts = provider.modelInfo.keys.sorted().map { (provider.key("MODEL_INFO"), $0) }
            for (key, name) in weights + prices + facts {
                if !provider.models.isEmpty {
                    if !provider.servesList, !provider.models.contains(where: { $0.alias == name }) {
                        let named = provider.models.first { $0.upstream == name }?.alias
                        let hint = hint(named ?? nearestModel(to: name, among: provider.models.map(\.alias)))
                        report(key, "PROVIDER_\(provider.instance)_MODELS does not contain \"\(name)\"\(hint)")
                    }
                } else if let catalogue = catalogues[provider.kind], !settings.permittedModels.contains(name) {
                    warnIfUnknown(name, key, catalogue: catalogue)
                }
            }
        }
    }

    /// Warns of models that the settings name, but with the weight 0 at each provider.
    private mutating func warnOfIdleModels(_ settings: Settings, _ modelCatalog: ModelCatalog) {
        let isAllIdle = settings.providers.allSatisfy(\.rank.servesNothing)
        for provider in settings.providers where !isAllIdle && !modelCatalog.isAwaitingList {
            let rank = provider.rank
            let idle = provider.models.map(\.alias).filter { rank.weight(of: $0) == 0 && modelCatalog[$0].isEmpty }
            for name in idle {
                let key = provider.key(rank.weights[name] == nil ? "WEIGHT" : "WEIGHTS")
                let text = "\"\(name)\" has no weight above 0 at any provider, so no request for it is served"
                warn(key, "\(text); write a weight above 0, or remove the model")
            }
        }
    }

    /// Warns if a model in the settings is unknown or forbidden by other settings.
    private mutating func warnOfModels(_ settings: Settings, _ catalogues: Catalogues) {
        for kind in ProviderSettings.Kind.allCases {
            let providers = settings.providers.filter { $0.kind == kind }
            guard !providers.isEmpty, let catalogue = catalogues[kind] else { continue }
            let subset = kind.row.subset
            if let subset {
                for model in settings.permittedModels { warnIfUnknown(model, subset, catalogue: catalogue) }
            }
            let permitted = Set(settings.permittedModels.map(catalogue.id))
            for provider in providers {
                let key = provider.key("MODELS")
                for name in provider.models {
                    if let subset, settings.isSubsetOnly, !permitted.contains(catalogue.id(name.upstream)) {
                        warn(
                            key,
                            "\"\(name.alias)\" is not allowed: \(subset.name) does not contain \"\(name.upstream)\""
                        )
                    } else {
                        warnIfUnknown(name.upstream, key, catalogue: catalogue)
                    }
                }
            }
        }
    }

    private mutating func warnIfUnknown(_ model: String, _ key: SettingKey, catalogue: Catalogue) {
        guard catalogue.model(model) == nil else { return }
        warn(key, "\"\(model)\" is not in the catalogue of this version; the name is forwarded unchanged")
    }

    /// Whether a reported problem makes it unclear which models the providers serve.
    private var hasProblemOfModels: Bool {
        problems.contains { problem in
            guard let name = problem.name, !unknownNames.contains(name) else { return false }
            guard name.hasPrefix("PROVIDER") else { return name.hasPrefix("SUBSET_OF") }
            return name == "PROVIDERS" || ["_KIND", "_MODELS", "_ENABLED"].contains(where: name.hasSuffix)
        }
    }

    private func hasProblem(with prefixes: String...) -> Bool {
        problems.contains { problem in
            guard let name = problem.name, !unknownNames.contains(name) else { return false }
            return prefixes.contains(where: name.hasPrefix)
        }
    }
}

extension Settings {
    /// Returns whether a base URL is that of this relay, by `PUBLIC_URL`, or by `HOST` and `PORT`.
    fileprivate func isReached(by url: String) -> Bool {
        if let publicURL, [publicURL, publicURL + "/v1"].contains(url) { return true }
        guard let address = WebAddress(url, schemes: ["http"], mayHoldCredentials: false), address.port ?? 80 == port
        else { return false }
        let isLocal = ["localhost", "0.0.0.0", "::"].contains(address.host.lowercased())
        let targets = (isLocal ? ["127.0.0.1", "::1"] : [address.host]).compactMap { PeerAddress(text: $0) }
        let listensAtAll = ["0.0.0.0", "::"].contains(host)
        return targets.contains { listensAtAll ? $0.isLoopback : $0 == PeerAddress(text: host) }
    }
}

extension ProviderSettings {
    var instance: String { name.asInstance }

    func key(_ field: String) -> SettingKey { Self.key(instance, field) }
}

extension ProviderSettings {
    private static let prefix = "PROVIDER_"

    /// Reads the settings of the enabled providers: first those in `PROVIDERS`, in its order, then the others, sorted
    /// by name.
    ///
    /// Without any `PROVIDER_` setting, 1min.ai is the only provider.
    static func all(_ reader: inout SettingsReader) -> [ProviderSettings] {
        let declared = reader.instances(of: prefix)
        guard reader.given.keys.contains(where: { $0.prefix == prefix }) else {
            if reader.given["PROVIDERS"] != nil { reader.report("PROVIDERS", "no provider is declared") }
            return [ProviderSettings("ONEMIN", kind: .onemin, keys: reader.list("ONE_MIN_API_KEYS"), &reader)]
        }
        var order: [String] = []
        for item in reader.list("PROVIDERS").map({ $0.uppercased() }) {
            if order.contains(item) { reader.report("PROVIDERS", "\"\(item.lowercased())\" is listed twice") }
            if !declared.contains(item) { reader.reportUndeclared(item, declared) }
            order.append(item)
        }
        let names = order.filter(declared.contains) + declared.filter { !order.contains($0) }
        let providers = names.compactMap { name -> ProviderSettings? in
            guard reader.boolean(key(name, "ENABLED")) else { return nil }
            guard let kind = reader.word(key(name, "KIND")) as Kind? else { return nil }
            return ProviderSettings(name, kind: kind, keys: reader.keys(of: name, kind), &reader)
        }
        let own = reader.list("ONE_MIN_API_KEYS")
        if !own.isEmpty, !declared.contains(where: { reader.text(key($0, "KIND")) == Kind.onemin.rawValue }) {
            return providers + [ProviderSettings("ONEMIN", kind: .onemin, keys: own, &reader)]
        }
        if providers.isEmpty, let first = declared.first {
            reader.report(key(first, "ENABLED"), "no provider is enabled")
        }
        return providers
    }

    private init(_ instance: String, kind: Kind, keys: [String], _ reader: inout SettingsReader) {
        func key(_ field: String) -> SettingKey { ProviderSettings.key(instance, field) }
        name = instance.asName
        (label, keySetting) = (reader.text(key("LABEL")) ?? name, reader.keySetting(of: instance, kind))
        self.kind = kind
        let row = kind.row
        assetURL = row.assetURL.flatMap { reader.text($0) } ?? ""
        let all: [ModelName] = reader.value(key("MODELS")) ?? []
        let named = all.filter { $0 != .wholeList }
        servesList = all.contains(.wholeList) && kind.row.hasList
        if let standard = row.baseURL {
            baseURL = reader.url(key("BASE_URL"), or: standard, of: kind)
            models = named
            isPassthrough = reader.isPassthrough(instance, hasKeys: !keys.isEmpty, kind)
            reader.check(all, of: instance, kind, servesList: servesList, isPassthrough: isPassthrough)
        } else {
            baseURL = ""
            models = named.isEmpty ? [ModelName(alias: kind.rawValue, upstream: kind.rawValue)] : named
            isPassthrough = false
            if all.contains(.wholeList) {
                reader.report(key("MODELS"), "the kind \(kind.rawValue) has no model list; name the models")
            }
            for field in ["BASE_URL", "API_KEYS", "API_KEY", "KEY_WEIGHTS", "PASSTHROUGH"] {
                reader.refuse(key(field), "the kind \(kind.rawValue) uses no network; remove this line")
            }
        }
        passesTokens = isPassthrough && reader.text(key("PASSTHROUGH")) != nil
        apiKeys = isPassthrough ? [] : keys
        keyWeights = reader.keyWeights(key("KEY_WEIGHTS"), of: keys, isChecked: kind.usesNetwork)
        connectTimeout = reader.duration(key("CONNECT_TIMEOUT"))
        firstByteTimeout = reader.duration(key("TIMEOUT"))
        idleTimeout = reader.duration(key("IDLE_TIMEOUT"))
        totalTimeout = reader.duration(key("TOTAL_TIMEOUT"))
        http2 = reader.boolean(key("HTTP2"))
        prices = reader.prices(of: instance, kind, isPassthrough: isPassthrough)
        modelInfo = reader.value(key("MODEL_INFO")) ?? [:]
        rank = ProviderRank(instance, reader)
        capacity = CapacitySettings(instance, reader)
        supportsTools = reader.boolean(key("TOOLS"))
        acceptsImages = reader.boolean(key("VISION"))
        chatsBy = reader.word(key("CHAT_VIA"))
        learnsQuirks = reader.text(key("QUIRKS")) != "none"
        generates = reader.boolean(key("GENERATE"))
        generateModel = reader.text(key("GENERATE_MODEL"))
        cloud = CloudSettings(instance, kind, isPassthrough: isPassthrough, reader: &reader)
        allowedFields = reader.list(key("ALLOW_FIELDS"))
        clientInfo = reader.word(key("CLIENT_INFO")) ?? .own
        advisor = reader.word(key("ADVISOR")) ?? .drop
        promptCache = reader.word(key("PROMPT_CACHE")) ?? .auto
        Self.checkFields(of: instance, kind, &reader)
        headers = reader.list(key("HEADERS"))
        if !row.allowsHeaders {
            reader.refuse(key("HEADERS"), "the kind \(kind.rawValue) does not support headers; remove this line")
        }
    }

    /// Reports fields that a provider of this kind does not have.
    private static func checkFields(of instance: String, _ kind: Kind, _ reader: inout SettingsReader) {
        for row in SettingFamily.providers.rows {
            guard let kinds = row.kinds, !kinds.contains(kind.rawValue) else { continue }
            let all = [kinds.dropLast().joined(separator: ", "), kinds.last ?? ""].filter { !$0.isEmpty }
            let word = kinds.count == 1 ? "kind" : "kinds"
            let text = "is only for the \(word) \(all.joined(separator: " and ")); remove this line"
            reader.refuse(key(instance, row.name), text)
        }
        if ![.openai, .anthropic, .vertexClaude, .cloudflare].contains(kind) {
            let next = "This will be an error in the next release"
            reader.warnIfGiven([key(instance, "FEES")], "has no effect with the kind \(kind.rawValue). \(next)")
        }
    }

    static func key(_ instance: String, _ field: String) -> SettingKey {
        SettingKey(prefix: prefix, instance: instance, field: field)
    }
}

extension SettingsReader {
    /// Reports problems with the models in a provider's `MODELS` setting.
    fileprivate mutating func check(
        _ models: [ModelName],
        of provider: String,
        _ kind: ProviderSettings.Kind,
        servesList: Bool,
        isPassthrough: Bool
    ) {
        let key = ProviderSettings.key(provider, "MODELS")
        let namesAll = models.contains(.wholeList)
        if namesAll, kind.row.needsModels, !servesList {
            report(key, "the kind \(kind.rawValue) has no model list; name the models")
        } else if servesList, isPassthrough {
            report(key, "\"*\" requires a key of the relay's own; name the models")
        } else if namesAll, !servesList, models.contains(where: { $0 != .wholeList }) {
            report(key, "\"*\" already includes all models of this kind; remove \"*\" or the names")
        }
        if models.contains(ModelName(alias: "all", upstream: "all")) {
            warn(key, "\"all\" is read as the name of a model; write * for all models")
        }
        if kind.row.needsModels, models.isEmpty, isUnset(key) {
            let list = kind.row.hasList && !isPassthrough ? ", or be * for all models on the vendor's list" : ""
            report(ProviderSettings.key(provider, "KIND"), "\(key.name) must name the models of this provider\(list)")
        }
    }

    /// Returns the prices of a provider. Reports those of the vendor's list of models if the relay cannot read it.
    fileprivate mutating func prices(
        of provider: String,
        _ kind: ProviderSettings.Kind,
        isPassthrough: Bool
    ) -> ProviderPrices {
        func key(_ field: String) -> SettingKey { ProviderSettings.key(provider, field) }
        let prices = ProviderPrices(
            common: value(key("COST")),
            ofModels: value(key("COSTS")) ?? [:],
            fees: value(key("FEES")) ?? ToolFees(),
            credit: value(key("CREDIT_COST"))
        )
        let listed = key(prices.common?.isListed ?? false ? "COST" : "COSTS")
        if prices.usesList, !kind.row.hasList {
            report(listed, "the kind \(kind.rawValue) has no list with prices; write the price instead of \"list\"")
        } else if prices.usesList, isPassthrough {
            report(listed, "\"list\" requires a key of the relay's own; write the price instead")
        }
        return prices
    }

    /// Returns the provider's own keys from `API_KEYS` or `API_KEY`. For Vertex AI, returns the refresh token.
    fileprivate mutating func keys(of provider: String, _ kind: ProviderSettings.Kind) -> [String] {
        let several = ProviderSettings.key(provider, "API_KEYS")
        let one = ProviderSettings.key(provider, "API_KEY")
        if kind.isVertex { return text(ProviderSettings.key(provider, "REFRESH_TOKEN")).map { [$0] } ?? [] }
        if given[several] != nil {
            refuse(one, "\(several.name) is also set (\(location(several))); remove one of them")
        }
        let own = list(several) + (text(one).map { [$0] } ?? [])
        guard kind == .onemin, given["ONE_MIN_API_KEYS"] != nil else { return own }
        if own.isEmpty { return list("ONE_MIN_API_KEYS") }
        report("ONE_MIN_API_KEYS", "is an older name of \(several.name), which is set, too; remove this line")
        return own
    }

    /// Returns the name of the setting with the provider's keys, or where they would be.
    fileprivate func keySetting(of provider: String, _ kind: ProviderSettings.Kind) -> String {
        if kind.isVertex { return ProviderSettings.key(provider, "REFRESH_TOKEN").name }
        var keys = ["API_KEYS", "API_KEY"].map { ProviderSettings.key(provider, $0) }
        if kind == .onemin { keys.append("ONE_MIN_API_KEYS") }
        return (keys.first { given[$0] != nil } ?? keys[0]).name
    }

    /// Returns the weights of the provider's keys, 1 for each key if the setting is unset.
    fileprivate mutating func keyWeights(_ key: SettingKey, of keys: [String], isChecked: Bool) -> [Double] {
        let weights: [Double] = value(key) ?? []
        if !weights.isEmpty && weights.count != keys.count && isChecked {
            let words = (weights.count == 1 ? "1 weight" : "\(weights.count) weights")
            let advice = "write one weight for each key, or remove this line"
            report(key, "\(words) for \(keys.count == 1 ? "1 key" : "\(keys.count) keys"); \(advice)")
        }
        return weights.isEmpty ? keys.map { _ in 1 } : weights
    }

    fileprivate mutating func reportUndeclared(_ instance: String, _ declared: [String]) {
        let kind = ProviderSettings.key(instance, "KIND").name
        if problems.contains(where: { $0.name == kind }) { return }
        // A similar short name is a bad hint: two wrong letters can be most of it.
        let near =
            instance.utf8.count < 4
            ? nil : nearest(to: instance, among: declared).map { "; did you mean \"\($0.lowercased())\"?" }
        let text = "no provider \"\(instance.lowercased())\" is declared\(near ?? "; set \(kind), or remove it")"
        report("PROVIDERS", text)
    }

    /// The paths of OpenAI's API at vendors that have it at another path than `/v1`.
    private static let paths = [
        "api.groq.com": "/openai/v1", "openrouter.ai": "/api/v1", "api.fireworks.ai": "/inference/v1",
        "generativelanguage.googleapis.com": "/v1beta/openai",
    ]

    /// Warns if a base URL has not the path of the vendor's API with this kind.
    private mutating func warnOfPath(_ key: SettingKey, _ kind: ProviderSettings.Kind) {
        guard let url = text(key) else { return }
        let address = WebAddress(url, schemes: ["http", "https"], mayHoldCredentials: false)
        let geminis = "/v1beta/openai"
        if kind == .gemini, url.hasSuffix(geminis) {
            let own = url.dropLast(geminis.count)
            let advice = "set PROVIDER_\(key.instance)_KIND=openai, or write \(own)"
            return warn(key, "is the URL of Gemini's API for the kind openai; \(advice)")
        }
        if let address, address.scheme == "http", address.port == nil, address.host.contains("."),
            !address.host.utf8.allSatisfy({ !(97...122).contains($0 | 32) })
        {
            warn(key, "sends keys and prompts unencrypted; write https://\(address.authority)\(address.path)")
        }
        guard kind == .openai else {
            guard let address, ["api.openai.com", "api.groq.com"].contains(address.host.lowercased()) else { return }
            return warn(key, "is the URL of an API of the kind openai; set PROVIDER_\(key.instance)_KIND=openai")
        }
        if let address, let path = Self.paths[address.authority.lowercased()], !address.path.hasPrefix(path) {
            return warn(key, "has not the path of this vendor's API; write https://\(address.authority)\(path)")
        }
        if let address, address.authority.hasSuffix(".openai.azure.com"), !address.path.hasPrefix("/openai/v1") {
            let text = "has not the path of Azure's API; write https://\(address.authority)/openai/v1"
            return warn(key, "\(text), and name the deployments in PROVIDER_\(key.instance)_MODELS")
        }
        if address?.path.isEmpty ?? false {
            warn(key, "has no path, but most servers of the kind openai have one; did you mean \(url)/v1?")
        }
    }

    /// The paths of endpoints with which a base URL may end by mistake.
    private static let endpoints = ["/chat/completions", "/completions", "/responses", "/messages", "/embeddings"]

    /// Returns the base URL of a provider. Removes an ending that the relay itself adds to upstream calls, such as
    /// `/chat/completions` for the kind openai.
    fileprivate mutating func url(
        _ key: SettingKey,
        or standard: ProviderSettings.Kind.StandardURL,
        of kind: ProviderSettings.Kind
    ) -> String {
        warnOfPath(key, kind)
        guard var own = text(key) else {
            switch standard {
            case .setting(let setting): return text(setting) ?? ""
            case .fixed(let url), .host(let url): return url
            case .location: return ""
            }
        }
        if let ending = Self.endpoints.first(where: own.hasSuffix) {
            own = String(own.dropLast(ending.count))
            warn(key, "ends in \(ending), which the relay adds itself; write \(own)")
        }
        let endings: [String]
        switch standard {
        case .setting, .fixed: endings = []
        case .host: endings = ["/v1", "/v2", "/v1beta", "/client/v4"]
        case .location: endings = ["/v1", "/v1beta1"]
        }
        return endings.first(where: own.hasSuffix).map { String(own.dropLast($0.count)) } ?? own
    }

    /// Returns whether no source sets the setting. A setting with a reported problem counts as set.
    func isUnset(_ key: SettingKey) -> Bool { given[key] == nil && !problems.contains { $0.name == key.name } }

    /// Returns whether a provider is called with the callers' own keys.
    fileprivate mutating func isPassthrough(_ provider: String, hasKeys: Bool, _ kind: ProviderSettings.Kind) -> Bool {
        let key = ProviderSettings.key(provider, "PASSTHROUGH")
        let areKeysWrong = problems.contains { $0.name?.hasPrefix("PROVIDER_\(provider)_API_KEY") ?? false }
        guard given[key] != nil else { return !hasKeys && !areKeysWrong && !kind.row.areKeysOptional }
        let isPassthrough = boolean(key) || text(key) != nil
        if isPassthrough && hasKeys {
            let keys = ["API_KEYS", "API_KEY"].map { ProviderSettings.key(provider, $0) }
            warnIfGiven(keys, "is not used, because \(key.name) is true")
        }
        if !isPassthrough && !hasKeys && !areKeysWrong && !kind.row.areKeysOptional {
            report(key, "without it PROVIDER_\(provider)_API_KEYS must be set")
        }
        return isPassthrough
    }

    /// Warns about each of these settings that is set.
    mutating func warnIfGiven(_ keys: [SettingKey], _ text: String) {
        for key in keys where given[key] != nil { warn(key, text) }
    }

    /// Reports the problem `text` if the setting is set. It is for settings that have no effect.
    mutating func refuse(_ key: SettingKey, _ text: String) {
        if given[key] != nil { report(key, text) }
    }
}

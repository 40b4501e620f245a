import Engine
import Limits

/// Warnings about values that are valid, but most likely mistakes.
extension SettingsReader {
    mutating func warnOfMistakes(_ settings: Settings) {
        warnOfPlaceholders()
        warnOfUnusualSecrets()
        warnOfWrappedKeys()
        warnOfLongTimeouts()
        warnOfKeysThatAreOff(settings)
        warnOfHiddenFamilies(settings)
        warnOfProviders(settings)
        warnOfVendorsTokens()
        warnOfLonelySettings(settings)
        warnOfLists(settings)
        warnOfAddresses(settings)
    }

    /// Settings that have an effect only beside others.
    private struct Dependents: Sendable {
        /// The needed settings, joined by "or", or a description of the need.
        let needed: String
        let settings: [String]
        let isMet: @Sendable (SettingsReader, Settings) -> Bool

        init(_ names: String..., settings: [String]) {
            needed = names.joined(separator: " or ")
            self.settings = settings
            isMet = { reader, _ in
                names.contains { name in
                    // A problem of the needed setting has a report of its own.
                    reader.given[.global(name)] != nil || reader.meantNames.contains(name)
                        || reader.problems.contains { $0.name?.hasPrefix(name) ?? false }
                }
            }
        }

        init(_ needed: String, settings: [String], isMet: @escaping @Sendable (SettingsReader, Settings) -> Bool) {
            (self.needed, self.settings, self.isMet) = (needed, settings, isMet)
        }
    }

    private static let dependents = [
        // Records are summed by the days of ADMIN_TIMEZONE with and without a password.
        Dependents("ADMIN_PASSWORD", settings: SettingSection.admin.rows.map(\.name).filter { $0 != "ADMIN_TIMEZONE" }),
        Dependents("CACHE", settings: SettingSection.cache.rows.map(\.name)),
        Dependents("USAGE_LOG_FILE", settings: ["USAGE_LOG_MAX_MB", "USAGE_LOG_FILES"]),
        Dependents("CONFIG_URL", settings: ["CONFIG_KEY", "CONFIG_REFRESH_SECONDS"]),
        Dependents("MEMCACHED_HOST", settings: ["MEMCACHED_PORT"]),
        Dependents(
            "MEMCACHED_HOST",
            "MEMCACHED_SERVERS",
            settings: ["RATE_LIMIT_STORE_DOWN", "SLOT_SECONDS", "MEMCACHED_TIMEOUT"]
        ),
        Dependents("FALLBACK=true", settings: ["FALLBACK_ATTEMPTS"]) { reader, _ in reader.boolean("FALLBACK") },
        Dependents(
            "USAGE_LOG_FILE",
            "DATA_DIR",
            "USAGE_DATABASE_URL",
            "ADMIN_PASSWORD",
            settings: ["USAGE_USERS"]
        ),
        Dependents("RATE_LIMIT_STORE_DOWN=share", settings: ["RATE_LIMIT_INSTANCES"]) { $1.limits.storeDown == .share },
        Dependents("a capacity, such as PROVIDER_<NAME>_CONCURRENCY", settings: ["QUEUE_TIMEOUT"]) { reader, _ in
            reader.given.keys.contains { ["QPS", "CONCURRENCY"].contains($0.field) }
        },
        Dependents(
            "a limit of end users, as RATE_LIMIT_USER=20/minute, or USAGE_USERS",
            settings: ["RATE_LIMIT_USER_FROM"]
        ) { reader, settings in
            settings.recordedUsers != .off
                || reader.givenLimits(settings).contains { $0.key.field == "RATE_LIMIT_USER" && !$0.quotas.isEmpty }
        },
        Dependents("a budget, as RATE_LIMIT=5 usd/day", settings: ["BUDGET_CONTACT"]) {
            $0.givenLimits($1).contains { $0.quotas.contains { $0.isBudget || $0.unit == .usd || $0.unit == .credits } }
        },
        Dependents("a budget in dollars or credits, as RATE_LIMIT=5 usd/day", settings: ["BUDGET_ALERT_URL"]) {
            $0.givenLimits($1).contains { $0.quotas.contains { $0.isBudget && $0.unit != .tokens } }
        },
    ]

    /// Warns of settings that have no effect because another one is not set.
    fileprivate mutating func warnOfLonelySettings(_ settings: Settings) {
        for row in Self.dependents {
            // Docker and Kubernetes set MEMCACHED_PORT to a URL for a container of that name.
            let lonely = row.settings.map(SettingKey.global).filter { !(given[$0]?.text.hasPrefix("tcp:") ?? true) }
            if lonely.isEmpty || row.isMet(self, settings) { continue }
            for key in lonely { warn(key, "has no effect without \(row.needed)") }
        }
    }

    /// Warns of a public URL and of trusted proxies that are valid, but not what they should be.
    fileprivate mutating func warnOfAddresses(_ settings: Settings) {
        if let url = settings.publicURL, url.hasSuffix("/v1") {
            warn("PUBLIC_URL", "ends in /v1, which the relay adds itself; write \(url.dropLast(3))")
        }
        let proxies = "lets each client choose its own address by X-Forwarded-For; write the networks of your proxies"
        let images = "lets callers reach each server of your network; write the networks with images for them"
        for (key, text) in [("TRUSTED_PROXIES", proxies), ("FETCH_ALLOW_NETWORKS", images)] as [(SettingKey, String)] {
            let all = given[key]?.text.split(separator: ",").first { $0.trimmed.hasSuffix("/0") }
            if let all { warn(key, "\(all.trimmed) \(text)") }
        }
        let proxy = settings.upstreamProxy.flatMap { WebAddress($0, schemes: ["http"], mayHoldCredentials: true) }
        if let proxy, proxy.port == nil {
            warn("UPSTREAM_PROXY", "names no port, which then is 1080; write it, as in http://\(proxy.authority):3128")
        }
    }

    /// Warns of lists with an element that has no effect.
    fileprivate mutating func warnOfLists(_ settings: Settings) {
        for provider in settings.providers where provider.allowedFields.contains("*") {
            warn(provider.key("ALLOW_FIELDS"), "* is the name of no field; name the fields, as in models,route")
        }
        if settings.corsOrigins.count > 1, settings.corsOrigins.contains("*") {
            warn("CORS_ORIGINS", "* has no effect beside other origins; write * alone, or only the origins")
        }
        let servers: [MemcachedAddress] = value("MEMCACHED_SERVERS") ?? []
        if let twice = servers.indices.first(where: { servers[..<$0].contains(servers[$0]) }) {
            warn(
                "MEMCACHED_SERVERS",
                "contains \(servers[twice].text) twice, so it has twice its part of the records; remove one"
            )
        }
    }

    /// Parts of the values that README, docs and examples elsewhere have in place of secrets.
    private static let placeholders = [
        "choose-", "replace-this", "at-least-16-characters", "a-long-random-token", "change-me",
        "the-key-for-the-relay", "0123456789-of-the-team", "your_", "YOUR_", "your-", "xxxxx", "...",
    ]

    fileprivate mutating func warnOfPlaceholders() {
        for (key, value) in given where value.row.trait == .secret || value.row.type == .password {
            guard Self.placeholders.contains(where: value.text.contains) else { continue }
            let isVendors = key.field.hasPrefix("API_KEY")
            let advice = isVendors ? "write a key of the vendor's" : "`openssl rand -hex 24` makes another"
            warn(key, "is a placeholder, as in the README or docs, which anybody can read; \(advice)")
        }
    }

    /// Warns if each key is off, and nobody else may use the providers.
    fileprivate mutating func warnOfKeysThatAreOff(_ settings: Settings) {
        guard let first = settings.keys.first, settings.anonymousModels.isEmpty else { return }
        guard settings.keys.allSatisfy({ $0.endsAt == .min }) else { return }
        guard settings.providers.contains(where: { !$0.isPassthrough }) else { return }
        warn(first.declaring, "all keys are off (ENABLED), so nobody may use the providers' keys")
    }

    /// Warns of callers whose signed tokens all show members of an earlier caller.
    fileprivate mutating func warnOfHiddenFamilies(_ settings: Settings) {
        let signed = settings.keys.filter { $0.family?.rule != nil }
        for (index, key) in signed.enumerated() {
            guard let rule = key.family?.rule,
                let other = signed[..<index].first(where: { $0.family?.rule?.fitsAll(of: rule) ?? false })
            else { continue }
            let advice =
                "set \(KeySettings.key(other.instance, "JWT_WHERE").name) to a claim that only those of its members have"
            warn(
                key.declaring,
                "has no members, because each of its tokens also fits \(other.declaring.name), which comes first; \(advice)"
            )
        }
    }

    /// Warns of secrets in which a variable was not replaced by its value, or that seem to be several keys in one.
    fileprivate mutating func warnOfUnusualSecrets() {
        for (key, value) in given where value.row.trait == .secret || [.proxy, .database].contains(value.row.type) {
            if value.text.namesVariable {
                warn(key, "contains a variable after $, which the relay does not replace; write its value in its place")
            }
            let isTold = warnings.contains { $0.name == key.name }
            if !isTold, ["\"", "[", "<", "KEY_"].contains(where: value.text.hasPrefix) {
                let text = "begins with a quote, a bracket or a setting's name, which then are parts of it"
                warn(key, "\(text); write only the value")
            }
            // A random key may begin with /, too.
            let isPath = ["/run/secrets/", "./", "../", "~/"].contains(where: value.text.hasPrefix)
            if isPath || value.text.hasPrefix("/") && (try? readFile(value.text)) != nil {
                warn(key, "is the path of a file, which is not read; set \(key.name)_FILE to it")
            }
            if key.name == "CONFIG_KEY", value.text.utf8.count < 16 {
                warn(key, "has fewer than 16 characters, so it can be guessed; encrypt the document with a longer key")
            }
            guard [.token, .tokens].contains(value.row.type) else { continue }
            if value.text.contains(";") {
                warn(key, "contains ;, which is a part of the key; write a comma between two keys")
            }
            if value.text.contains("://") { warn(key, "is a URL, but should be a key; write only the key") }
        }
    }

    /// Warns of a key in a file that seems to be wrapped: all its lines but a shorter last one are equally long.
    fileprivate mutating func warnOfWrappedKeys() {
        for (key, value) in given where value.row.type == .tokens {
            let sizes = value.text.split(whereSeparator: \.isNewline).map(\.utf8.count)
            guard sizes.count > 1, let last = sizes.last, sizes.dropLast().allSatisfy({ $0 == sizes[0] && $0 > last })
            else { continue }
            warn(key, "each of its \(sizes.count) lines is a key of its own; if they are one key, write it on one line")
        }
    }

    /// Warns of times without a unit that are probably meant in milliseconds.
    fileprivate mutating func warnOfLongTimeouts() {
        for (key, value) in given where key.field.hasSuffix("TIMEOUT") {
            guard let number = Int(value.text), number >= 10_000 else { continue }
            let hours = "\(number / 3_600) h \(number / 60 % 60) min"
            warn(key, "\(number) is in seconds, \(hours); write \(number)ms for milliseconds, else \(number)s")
        }
    }

    /// Warns of providers with one label, with another vendor's key, or without a weight.
    fileprivate mutating func warnOfProviders(_ settings: Settings) {
        var labels: [String: String] = [:]
        for provider in settings.providers {
            let instance = provider.instance
            if let other = labels.updateValue(instance, forKey: provider.label), other != instance {
                let isOwn = given[provider.key("LABEL")] != nil
                let text = "\"\(provider.label)\" is also the label of PROVIDER_\(isOwn ? other : instance)"
                let shown = ProviderSettings.key(isOwn ? instance : other, "LABEL")
                warn(shown, "\(text), so reports and model lists do not tell them apart; write another label")
            }
            warnOfKeys(of: provider)
        }
        if !settings.providers.contains(where: { $0.kind == .onemin }) {
            let names: [SettingKey] = [
                "ONE_MIN_LINKS", "SUBSET_OF_ONE_MIN_PERMITTED_MODELS", "PERMIT_MODELS_FROM_SUBSET_ONLY",
            ]
            warnIfGiven(names, "has no effect without a provider of the kind onemin")
        }
        if settings.providers.allSatisfy(\.rank.servesNothing), let first = settings.providers.first {
            let which = settings.providers.count == 1 ? "the only provider" : "each provider"
            warn(
                first.key("WEIGHT"),
                "is 0 for \(which), so no request is served; remove this line"
            )
        }
        for provider in settings.providers {
            warnOfUse(provider)
            warnOfHeaders(provider)
            warnOfTimeouts(provider)
        }
    }

    /// Warns if everybody can use a provider at the operator's cost.
    mutating func warnOfPublicUse(_ settings: Settings, _ modelCatalog: ModelCatalog) {
        let isLocal = settings.host.hasPrefix("127.") || settings.host == "::1"
        guard !isLocal, !settings.anonymousModels.isEmpty else { return }
        let caller = Caller(anonymousWith: settings.anonymousModels)
        let mayReach = settings.reach { caller.mayUse($0, ofPassthrough: false) }
        // Other names may be on a vendor's list, which is not read yet.
        let areAllKnown = settings.anonymousModels.allSatisfy { pattern in
            modelCatalog.namesWithCredentials.contains { pattern == .exactly($0) }
        }
        let paid = settings.providers.enumerated().first { index, provider in
            guard !provider.apiKeys.isEmpty else { return false }
            return provider.servesList && !areAllKnown || modelCatalog.serve(caller, at: index)
                || modelCatalog.listing.contains { $0.provider == index && mayReach($0.name, provider) }
        }
        guard let paid = paid?.element else { return }
        warn(
            "ANONYMOUS_MODELS",
            """
            everybody who reaches \(settings.host):\(settings.port) may use \(paid.keySetting) without a key; \
            set HOST=127.0.0.1, or KEY_<NAME>_TOKEN in place of ANONYMOUS_MODELS
            """
        )
    }

    /// Warns if a caller's key has the form of a vendor's.
    fileprivate mutating func warnOfVendorsTokens() {
        for (key, value) in given where key.prefix == "KEY_" && key.field == "TOKEN" {
            let form = VendorKeyForm.all.first { $0.isOfAny(value.value as? [String] ?? []) }
            guard let form, !problems.contains(where: { $0.name == key.name }) else { continue }
            let advice = "`openssl rand -hex 24` makes a key of the relay's own"
            warn(key, "begins with \(form.start), as keys of a vendor do, and callers must not have these; \(advice)")
        }
    }

    /// Warns if a provider has a key of another vendor than its kind and base URL.
    private mutating func warnOfKeys(of provider: ProviderSettings) {
        if Set(provider.apiKeys).count < provider.apiKeys.count {
            warn(
                provider.key("API_KEYS"),
                "contains the same key twice; remove one, KEY_WEIGHTS can give it more calls"
            )
        }
        let vendors = VendorKeyForm.all
        guard let form = vendors.first(where: { $0.isOfAny(provider.apiKeys) }), !provider.baseURL.isEmpty,
            !provider.baseURL.contains(form.host)
        else { return }
        // A server with the same API may be a proxy, which has keys of any form.
        let isKind = provider.kind == form.kind
        guard !isKind || vendors.contains(where: { provider.baseURL.contains($0.host) }) else { return }
        let prefix = "PROVIDER_\(provider.instance)_"
        let url = form.url.map { "\(prefix)BASE_URL=\($0)" }
        let settings = [isKind ? nil : "\(prefix)KIND=\(form.kind.rawValue)", url].compactMap(\.self)
        let key = provider.key(given[provider.key("API_KEYS")] == nil ? "API_KEY" : "API_KEYS")
        let advice =
            settings.isEmpty ? "remove \(prefix)BASE_URL" : "set \(settings.joined(separator: " and "))"
        warn(
            key,
            "begins with \(form.start), as keys of another vendor do; \(advice), or write a key for \(provider.baseURL)"
        )
    }

    /// Warns of time limits of a part of a call that are longer than that of the whole call.
    fileprivate mutating func warnOfTimeouts(_ provider: ProviderSettings) {
        let total = provider.key("TOTAL_TIMEOUT")
        for key in ["TIMEOUT", "CONNECT_TIMEOUT", "IDLE_TIMEOUT"].map(provider.key)
        where given[key] != nil && duration(key) > duration(total) && !warnings.contains(where: { $0.name == key.name })
        {
            let limit = given[total]?.text ?? row(total).fallback
            warn(key, "has no effect, because it is longer than \(total.name), \(limit)")
        }
    }

    /// Warns of a header that replaces the provider's keys.
    private mutating func warnOfHeaders(_ provider: ProviderSettings) {
        let isReplaced = provider.headers.contains { $0.lowercased().hasPrefix("authorization:") }
        guard isReplaced, !provider.apiKeys.isEmpty, provider.kind != .gemini else { return }
        let text = "has Authorization, so \(provider.keySetting) is never sent; remove one of them"
        warn(provider.key("HEADERS"), text)
    }

    /// Warns if a provider's vendor accepts no request without the key that it lacks.
    fileprivate mutating func warnOfUse(_ provider: ProviderSettings) {
        let prefix = "PROVIDER_\(provider.instance)_"
        // Other servers need no key, or a header in its place.
        let vendors: [ProviderSettings.Kind: String] = [
            .openai: "https://api.openai.com/", .anthropic: "https://api.anthropic.com",
        ]
        guard let vendor = vendors[provider.kind], provider.baseURL.hasPrefix(vendor), provider.apiKeys.isEmpty,
            !provider.isPassthrough, provider.headers.isEmpty,
            !problems.contains(where: { $0.name?.hasPrefix(prefix) ?? false })
        else { return }
        let advice = "set \(prefix)API_KEYS, or \(prefix)PASSTHROUGH=true for keys of the callers"
        warn(provider.key("KIND"), "no key is set, and \(provider.baseURL) accepts no request without one; \(advice)")
    }
}

/// The form by which a vendor's keys are recognised.
private struct VendorKeyForm {
    let start: String
    /// A part of the vendor's base URLs that no other vendor's has.
    let host: String
    let kind: ProviderSettings.Kind
    /// The base URL of the vendor's API; nil if it is the kind's default.
    var url: String?

    func isOfAny(_ keys: [String]) -> Bool { keys.contains { $0.hasPrefix(start) } }

    static let all = [
        VendorKeyForm(start: "sk-ant-", host: "anthropic", kind: .anthropic),
        VendorKeyForm(start: "AIza", host: "google", kind: .gemini),
        VendorKeyForm(start: "sk-proj-", host: "api.openai.com", kind: .openai),
        VendorKeyForm(start: "gsk_", host: "api.groq.com", kind: .openai, url: "https://api.groq.com/openai/v1"),
        VendorKeyForm(start: "sk-or-", host: "openrouter.ai", kind: .openai, url: "https://openrouter.ai/api/v1"),
    ]
}

extension String {
    /// Whether the text contains `${NAME}`, or `$NAME` in capitals.
    fileprivate var namesVariable: Bool {
        utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false).dropFirst().contains { rest in
            let isBraced = rest.first == UInt8(ascii: "{")
            let name = rest.dropFirst(isBraced ? 1 : 0).prefix { $0.isLetterOrDigit || $0 == UInt8(ascii: "_") }
            // A password may have a $ anywhere.
            let isUpper = name.count > 2 && name.allSatisfy { !(97...122).contains($0) }
            return name.first.map { !(48...57).contains($0) } ?? false && (isBraced || isUpper)
        }
    }
}

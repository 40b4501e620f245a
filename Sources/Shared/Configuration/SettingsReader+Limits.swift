import Engine
import Limits

/// Checks of limits that are valid but would not have the intended effect.
extension SettingsReader {
    mutating func checkLimits(_ settings: Settings) {
        let wrongKeys: SettingKey = "RATE_LIMIT_FAILED_AUTH"
        if settings.limits.failedAuth.contains(where: { $0.unit != .requests }) {
            report(wrongKeys, "this setting can only limit requests; write a limit such as 20/minute")
        }
        let isPriced = settings.providers.contains { $0.prices.isKnown }
        let hasCredits = settings.providers.contains { $0.kind.row.countsCredits }
        let forwards = settings.providers.contains { $0.kind == .openai }
        let paysMedia = forwards || settings.providers.contains { $0.prices.paysMedia }
        for (key, quotas, group) in givenLimits(settings) {
            let units = Set(quotas.map(\.unit))
            if let group {
                var used = group.units
                // Of other vendors, the relay itself counts the text that they get.
                if group != .chat, !forwards, !hasCredits { used.remove(.tokens) }
                if group != .chat, !paysMedia { used.remove(.usd) }
                for unit in Quota.Unit.allCases where units.contains(unit) && !used.contains(unit) {
                    warn(
                        key,
                        "\(group.rawValue) requests use no \(unit.rawValue), so this part of the limit has no effect"
                    )
                }
            }
            if units.contains(.usd), !isPriced { refuseDollars(key, settings) }
            if units.contains(.credits), !hasCredits {
                let advice =
                    "declare a provider of the kind onemin (PROVIDER_<NAME>_KIND=onemin), or limit tokens or usd"
                reportUnlessProvidersHaveProblems(
                    key,
                    "no provider is of the kind onemin, so no request costs credits; \(advice)"
                )
            }
            for quota in quotas { warnIfTooSmall(quota, key) }
        }
        if settings.limits.store == .memory, settings.dataFolder == nil { warnOfRestarts(givenLimits(settings)) }
    }

    /// Warns of prices that look like those of a million tokens, and of models without a price that a caller with a
    /// limit in dollars may use.
    mutating func checkPrices(_ settings: Settings) {
        for provider in settings.providers {
            let common = provider.prices.common.map { [($0, "")] } ?? []
            let ofModels = provider.prices.ofModels.sorted { $0.key < $1.key }.map { ($0.value, $0.key) }
            for (field, prices) in [("COST", common), ("COSTS", ofModels)] {
                let key = provider.key(field)
                let texts =
                    given[key].map { $0.text.split { $0 == "," || $0.isNewline }.map { String($0.trimmed) } } ?? []
                for (price, model) in prices where price.isUnusual {
                    let text = texts.first { $0.prefix { $0 != "=" }.trimmed == model } ?? texts.first ?? ""
                    let numbers = text.drop { field == "COSTS" && $0 != "=" }.drop { $0 == "=" }.trimmed
                    // Whoever writes a unit has thought of it.
                    if numbers.contains(" per ") { continue }
                    let own = String(numbers.prefix { $0 != " " })
                    let meant =
                        price.isAboveUsual
                        ? "if the vendor lists \(own) per million, write `\(own) per million`"
                        : "if \(own) is for one token, write `\(price.perMillionText(timesAs: 1_000)) per million`"
                    let reading = "\(own) is \(price.perMillionText()) dollars for a million tokens"
                    warn(key, "\(reading); \(meant), and if it is meant so, `\(own) per 1000`")
                }
            }
        }
        let isForAll = givenLimits(settings).contains { limit in
            limit.key.prefix.isEmpty && limit.quotas.contains { $0.unit == .usd }
        }
        let keys = settings.keys.filter { key in
            isForAll || key.allQuotas.contains { $0.unit == .usd }
        }
        guard isForAll || !keys.isEmpty else { return }
        let patterns = keys.map(\.models) + (isForAll ? [settings.anonymousModels] : [])
        let reach = settings.reach { name in patterns.contains { $0.match(name) } }
        for provider in settings.providers where provider.kind.usesNetwork {
            func mayReach(_ name: String) -> Bool {
                isForAll && provider.isPassthrough || reach(name, provider)
            }
            warnOfUnpriced(provider, mayReach)
            warnOfReported(provider, mayReach)
            warnOfPieces(provider, mayReach)
            warnOfFees(provider, mayReach)
        }
    }

    /// Warns if the provider has a model with a price for which `mayReach` returns true, and bills uses of tools that have
    /// no price.
    private mutating func warnOfFees(_ provider: ProviderSettings, _ mayReach: (String) -> Bool) {
        let isOpenAIs = provider.kind == .openai && provider.baseURL.hasPrefix("https://api.openai.com")
        let hasTools = isOpenAIs || provider.kind == .anthropic || provider.kind == .vertexClaude
        guard hasTools, provider.prices.fees.isEmpty,
            let name = provider.models.map(\.alias).first(where: mayReach),
            let price = provider.prices.setting(of: name), !price.isFree, !price.usesReported
        else { return }
        warn(
            provider.key("FEES"),
            """
            is not set, so limits in usd count the tokens of searches and of other tools that the vendor runs, but not its \
            fee for each use; set PROVIDER_\(provider.name.asInstance)_FEES=web_search=0.01
            """
        )
    }

    /// Warns if the provider has models without a price for which `mayReach` returns true.
    private mutating func warnOfUnpriced(_ provider: ProviderSettings, _ mayReach: (String) -> Bool) {
        guard provider.prices.common == nil, provider.prices.credit == nil else { return }
        let instance = provider.name.asInstance
        let next = "This will be an error in the next release"
        let names = provider.models.map(\.alias).filter { provider.prices.ofModels[$0] == nil && mayReach($0) }
        if let name = names.first {
            let others = names.count > 1 ? ", like \(names.count - 1) others of this provider" : ""
            warn(
                provider.key("MODELS"),
                """
                "\(name)" has no price\(others), so limits in usd do not count it; set PROVIDER_\(instance)_COSTS=\(name)=0.001/0.004 \
                (USD per 1000 tokens), or \(name)=free if it costs nothing. \(next)
                """
            )
        }
        guard provider.servesList || provider.models.isEmpty else { return }
        warn(
            provider.key(provider.models.isEmpty && !provider.servesList ? "KIND" : "MODELS"),
            """
            models without a price are served, so limits in usd do not count them; set PROVIDER_\(instance)_COST=0.001/0.004 \
            (USD per 1000 tokens)\(provider.servesList ? ", PROVIDER_\(instance)_COST=list" : "") or free. \(next)
            """
        )
    }

    /// Warns if the cost that the vendor reports is the only price of a model for which `mayReach` returns true.
    private mutating func warnOfReported(_ provider: ProviderSettings, _ mayReach: (String) -> Bool) {
        let prices = provider.prices
        let name = provider.models.map(\.alias).first {
            prices.setting(of: $0)?.isReportedOnly ?? false && mayReach($0)
        }
        let isOfAll = name.map { prices.ofModels[$0] == nil } ?? prices.common?.isReportedOnly ?? false
        guard name != nil || isOfAll && (provider.servesList || provider.models.isEmpty) else { return }
        warn(
            provider.key(isOfAll ? "COST" : "COSTS"),
            """
            "reported" alone is no price, so limits in usd reserve nothing, and do not count responses that report no cost; \
            write reported 0.001/0.004 (USD per 1000 tokens)
            """
        )
    }

    /// Warns if the provider has models, for which `mayReach` returns true, whose common price is one of pieces alone. The
    /// price of a single model is meant for what that model makes.
    private mutating func warnOfPieces(_ provider: ProviderSettings, _ mayReach: (String) -> Bool) {
        guard let price = provider.prices.common, price.isOfPiecesOnly,
            provider.servesList || provider.models.isEmpty
                || provider.models.contains(where: { provider.prices.ofModels[$0.alias] == nil && mayReach($0.alias) })
        else { return }
        let cost = "PROVIDER_\(provider.name.asInstance)_COST"
        warn(
            provider.key("COST"),
            """
            "\(price.text)" is no price of tokens, so limits in usd count neither chats nor embeddings; set \
            \(cost)=0.001/0.004 \(price.text) (USD per 1000 tokens), or \(cost)S for the models that have it
            """
        )
    }

    private static let shownNames = 10

    /// Warns once if a restart resets limits with windows of an hour or more.
    private mutating func warnOfRestarts(_ limits: [(key: SettingKey, quotas: [Quota], group: EndpointGroup?)]) {
        let long = limits.filter { limit in limit.quotas.contains { $0.windowSeconds >= Quota.TimeUnit.hour.rawValue } }
        guard let first = long.first else { return }
        let others = long.dropFirst().prefix(Self.shownNames).map(\.key.name).joined(separator: ", ")
        warn(
            first.key,
            "windows of an hour or more\(others.isEmpty ? "" : ", here and in \(others),") are counted in this process alone,"
                + " so a restart begins them anew;"
                + " set DATA_DIR to keep them, or MEMCACHED_HOST to share them"
        )
    }

    /// Reports that a limit in dollars has no effect because no provider has a price. Only the first one is reported.
    private mutating func refuseDollars(_ key: SettingKey, _ settings: Settings) {
        if problems.contains(where: { $0.text.hasPrefix(Self.noPrice) }) { return }
        let instance = settings.providers.first.map { $0.name.asInstance } ?? "<NAME>"
        var advice =
            "set PROVIDER_\(instance)_COST=0.001/0.004 (USD per 1000 tokens of the prompt and of the completion)"
        if !given.keys.contains(where: { $0.prefix == "PROVIDER_" }) {
            let keys = given["ONE_MIN_API_KEYS"] == nil ? "" : ", PROVIDER_ONEMIN_API_KEYS in place of ONE_MIN_API_KEYS"
            advice = "declare the provider (PROVIDER_ONEMIN_KIND=onemin\(keys)), and \(advice)"
        }
        reportUnlessProvidersHaveProblems(key, "\(Self.noPrice); \(advice)")
    }

    private static let noPrice = "no provider has a price, so no request costs usd"

    private mutating func reportUnlessProvidersHaveProblems(_ key: SettingKey, _ text: String) {
        if problems.contains(where: { $0.name?.hasPrefix("PROVIDER_") ?? false }) { return }
        report(key, text)
    }

    /// Warns if a limit of credits is smaller than what a usual request reserves.
    private mutating func warnIfTooSmall(_ quota: Quota, _ key: SettingKey) {
        let credits = RecentUsageAverages.firstCredits
        if quota.unit == .credits, quota.count < credits {
            warn(
                key,
                "\(quota.text): the first request to a model without a listed price is too large for this limit: it reserves \(credits) credits"
            )
        }
    }

    /// Returns the settings for limits, except `RATE_LIMIT_FAILED_AUTH`, with their limits. The group is the endpoint
    /// group that the setting is for; nil if it is for several.
    func givenLimits(_ settings: Settings) -> [(key: SettingKey, quotas: [Quota], group: EndpointGroup?)] {
        var limits: [(key: SettingKey, quotas: [Quota], group: EndpointGroup?)] = [
            ("RATE_LIMIT", quotas("RATE_LIMIT") ?? [], nil),
            ("RATE_LIMIT_BY_MODEL", settings.limits.byModel.flatMap(\.quotas), nil),
            ("RATE_LIMIT_SESSION", settings.limits.session, nil),
            ("RATE_LIMIT_USER", settings.limits.user, nil),
            ("RATE_LIMIT_TOTAL", settings.limits.total, nil),
        ]
        for group in EndpointGroup.allCases {
            let key = SettingKey.global(group.limitField)
            limits.append((key, quotas(key) ?? [], group))
        }
        let ofCallers = given.keys.filter { $0.prefix == "KEY_" || $0.prefix == "GROUP_" }
        for key in ofCallers.sorted(by: { $0.name < $1.name }) {
            guard let quotas = quotas(key) else { continue }
            let group = EndpointGroup.allCases.first { key.field == $0.limitField }
            limits.append((key, quotas, group))
        }
        return limits
    }

    mutating func warnOfModelLimits(_ rows: [ModelQuotas], _ modelCatalog: ModelCatalog) {
        let names = modelCatalog.limitedModels.flatMap { [$0.name, $0.shortName].compactMap(\.self) }
        for (index, row) in rows.enumerated() {
            let fitting = names.filter(row.pattern.matches)
            if fitting.isEmpty, modelCatalog.isAwaitingList { continue }
            if fitting.isEmpty {
                let hint = nearestPattern(to: row.pattern, among: names).map { "; did you mean \"\($0)\"?" }
                let text = "\"\(row.pattern)\" matches no model\(hint ?? "; `relay models` lists the names")"
                warn("RATE_LIMIT_BY_MODEL", text)
            } else if fitting.allSatisfy({ name in rows[..<index].contains { $0.pattern.matches(name) } }) {
                warn(
                    "RATE_LIMIT_BY_MODEL",
                    "\"\(row.pattern)\" has no effect, because earlier patterns match all its models"
                )
            }
        }
    }
}

extension Settings {
    /// Returns a function which returns whether some callers may use a provider's model: because they are permitted to, as
    /// the fallback model, or through a panel.
    func reach(_ isPermitted: @escaping (String) -> Bool) -> (_ name: String, _ provider: ProviderSettings) -> Bool {
        let members = members(ofPanels: { $0 == fallbackModel || isPermitted($0) })
        return { name, provider in
            name == fallbackModel || isPermitted(name) || members.contains(name)
                || members.contains("\(provider.name)/\(name)")
        }
    }

    /// Returns the names of the models that some panels call, also by other panels: with or without a provider's name.
    /// - Parameter isIncluded: whether a caller may use the panel with this name.
    fileprivate func members(ofPanels isIncluded: (String) -> Bool) -> Set<String> {
        var left = panels.filter { isIncluded($0.name) }
        var names: Set<String> = []
        while let panel = left.popLast() {
            for name in panel.casts.flatMap({ $0.members + [$0.summary] }) where names.insert(name).inserted {
                left += panels.filter { $0.name == name }
            }
        }
        return names
    }
}

import Limits
import Shared
import Upstream

extension Settings {
    var summary: String { summary(withStore: limits.store) }

    /// Returns a summary of the settings for the log, with the counter store that is in use.
    func summary(withStore store: LimitSettings.Store) -> String {
        let limits = limits.summary(withStore: store)
        return "providers: \(Self.list(providers.map(\.summary))); callers: \(callers); limits: \(limits)"
    }

    /// Returns what `relay check` prints about valid settings: where usage records are kept, and what keeps them if
    /// nothing does.
    /// - Parameter effective: all settings. The files of `COMPOSE_FILE` can set `DATA_DIR` and `USAGE_DATABASE_URL`.
    func checkReport(beside effective: [EffectiveSetting], warnings: Int) -> String {
        let place: String
        let composeFiles = effective.first { $0.name == "COMPOSE_FILE" }?.shown.split(separator: ":") ?? []
        let isKeptInCompose = composeFiles.contains {
            $0.hasSuffix("deploy/data.yml") || $0.hasSuffix("deploy/postgres.yml")
        }
        switch (usageDatabase?.location, usageFile) {
        case (.server, _): place = "in the database of USAGE_DATABASE_URL"
        case (.folder(let folder), _): place = "in DATA_DIR, \(folder)"
        case (nil, .some): place = "in USAGE_LOG_FILE only; \(Self.recordsAdvice)"
        case (nil, nil) where isKeptInCompose: place = "kept with Docker Compose, as COMPOSE_FILE says; else not kept"
        case (nil, nil): place = "not kept; \(Self.recordsAdvice)"
        }
        let also = warnings == 0 ? "" : ", \(warnings) warning\(warnings == 1 ? "" : "s")"
        return "configuration: no problems\(also)\nusage records: \(place)\n"
    }

    private static let recordsAdvice = """
        DATA_DIR keeps them for one relay, USAGE_DATABASE_URL for several (with Compose: deploy/data.yml, \
        deploy/postgres.yml)
        """

    private var callers: String {
        var parts: [String] = []
        if !keys.isEmpty { parts.append("\(keys.count) known") }
        if providers.contains(where: \.isPassthrough) { parts.append("any with a key of the provider's") }
        if !anonymousModels.isEmpty { parts.append("without a key for \(Self.list(anonymousModels.map { "\($0)" }))") }
        return parts.joined(separator: ", ")
    }

    private static let shownItems = 10

    fileprivate static func list(_ items: [String]) -> String {
        let more = items.count > shownItems ? ["\(items.count - shownItems) more"] : []
        return (items.prefix(shownItems) + more).joined(separator: ", ")
    }
}

extension ProviderSettings {
    fileprivate var summary: String {
        let keys = apiKeys.count == 1 ? "1 key" : apiKeys.isEmpty ? "no key" : "\(apiKeys.count) keys"
        guard kind.usesNetwork else { return "\(name) (\(kind.rawValue))" }
        return "\(name) (\(kind.rawValue), \(isPassthrough ? "callers' own keys" : keys))"
    }
}

extension LimitSettings {
    fileprivate func summary(withStore store: Store) -> String {
        let each = EndpointGroup.allCases.map { (name: $0.rawValue, text: Self.text(groups[$0] ?? [])) }
        var parts: [String] = []
        if Set(each.map(\.text)).count == 1, let first = each.first {
            parts.append("each group \(first.text)")
        } else {
            parts += each.map { "\($0.name) \($0.text)" }
        }
        if !byModel.isEmpty { parts.append("some by model") }
        if !total.isEmpty { parts.append("all callers together \(Self.text(total))") }
        return "\(store.summary), \(parts.joined(separator: ", "))"
    }

    private static func text(_ quotas: [Quota]) -> String {
        let texts = quotas.map { $0.unit == .requests ? $0.text : $0.textWithUnit }
        return texts.isEmpty ? "off" : texts.joined(separator: " and ")
    }
}

extension LimitSettings.Store {
    fileprivate var summary: String {
        switch self {
        case .memory: "in this process alone (MEMCACHED_HOST=auto looks for memcached)"
        case .search: "in memcached, which is being searched for"
        case .servers(let servers): "in memcached at \(Settings.list(servers.map(\.text)))"
        }
    }
}

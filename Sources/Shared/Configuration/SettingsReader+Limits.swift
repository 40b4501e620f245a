import Limits

/// Limits that are well written and would not do what their writer wants.
extension SettingsReader {
    mutating func judgeLimits(_ settings: Settings) {
        let wrongKeys: SettingKey = "RATE_LIMIT_FAILED_AUTH"
        if settings.limits.failedAuth.contains(where: { $0.unit != .requests }) {
            note(wrongKeys, "only requests can be limited here; write a limit such as 20/minute")
        }
        if given["RATE_LIMIT_INSTANCES"] != nil, settings.limits.storeDown != .share {
            warn("RATE_LIMIT_INSTANCES", "is for RATE_LIMIT_STORE_DOWN=share only")
        }
        let isPriced = settings.providers.contains { $0.prices.isKnown }
        let hasCredits = settings.providers.contains { $0.kind.row.takesCredits }
        let forwards = settings.providers.contains { $0.kind == .openai }
        for (key, quotas, group) in givenLimits(settings) {
            let units = Set(quotas.map(\.unit))
            if let group {
                // Only vendors that take such requests as they came tell tokens of them.
                let used = forwards || group == .chat ? group.units : group.units.subtracting([.tokens, .usd])
                for unit in Quota.Unit.allCases where units.contains(unit) && !used.contains(unit) {
                    warn(key, "\(group.rawValue) requests use no \(unit.rawValue): that part limits nothing")
                }
            }
            if units.contains(.usd), !isPriced {
                warn(key, "no provider has a price (PROVIDER_<NAME>_COST): its usd limit nothing")
            }
            if units.contains(.credits), !hasCredits {
                warn(key, "no provider of 1min.ai is declared: its credits limit nothing")
            }
            for quota in quotas { warnIfTooSmall(quota, key) }
        }
    }

    /// Requests would be refused for ever.
    private mutating func warnIfTooSmall(_ quota: Quota, _ key: SettingKey) {
        let (tokens, credits) = (UsageMeans.firstCompletion, UsageMeans.firstCredits)
        if quota.unit == .tokens, quota.count <= tokens {
            warn(
                key,
                "\(quota.text): a request without max_tokens is too large, it needs its prompt and \(tokens) tokens"
            )
        }
        if quota.unit == .credits, quota.count < credits {
            warn(
                key,
                "\(quota.text): a model's first request is too large, at \(credits) credits where the list tells none"
            )
        }
    }

    /// Those that are set, with the group that they are for; nil: more than one.
    private func givenLimits(_ settings: Settings) -> [(SettingKey, [Quota], EndpointGroup?)] {
        var limits: [(SettingKey, [Quota], EndpointGroup?)] = [
            ("RATE_LIMIT", quotas("RATE_LIMIT") ?? [], nil),
            ("RATE_LIMIT_BY_MODEL", settings.limits.byModel.flatMap(\.quotas), nil),
            ("RATE_LIMIT_TOTAL", settings.limits.total, nil),
        ]
        for group in EndpointGroup.allCases {
            let key = SettingKey.global("RATE_LIMIT_\(group.rawValue.uppercased())")
            limits.append((key, quotas(key) ?? [], group))
        }
        for key in settings.keys {
            limits.append((KeySettings.key(key.instance, "RATE_LIMIT"), key.quotas, nil))
            for group in EndpointGroup.allCases {
                let field = "RATE_LIMIT_\(group.rawValue.uppercased())"
                limits.append((KeySettings.key(key.instance, field), key.groupQuotas[group] ?? [], group))
            }
        }
        return limits
    }

    mutating func warnOfModelLimits(_ rows: [ModelQuotas], _ offers: Offers) {
        for (index, row) in rows.enumerated() {
            let fitting = (offers.allNames + offers.replacedNames).filter(row.pattern.matches)
            if fitting.isEmpty {
                warn("RATE_LIMIT_BY_MODEL", "\"\(row.pattern)\" matches no model")
            } else if fitting.allSatisfy({ name in rows[..<index].contains { $0.pattern.matches(name) } }) {
                warn(
                    "RATE_LIMIT_BY_MODEL",
                    "\"\(row.pattern)\" has no effect: patterns before it match all its models"
                )
            }
        }
    }
}

import Engine
import Limits

extension KeySettings {
    private static let prefix = "KEY_"

    static func all(_ reader: inout SettingsReader) -> [KeySettings] {
        var owners: [Digest: SettingKey] = [:]
        let groups = GroupSettings.all(reader)
        for own in ["TOKEN", "SECRET", "JWT_ISSUER"] where reader.given[key("DEFAULT", own)] != nil {
            reader.report(key("DEFAULT", own), SettingFamily.reasonOfDefaults)
        }
        let keys = reader.instances(of: prefix)
            .compactMap { instance -> KeySettings? in
                let setting = key(instance, "TOKEN")
                let family = reader.family(of: instance)
                let given = reader.list(setting)
                let tokens = (family?.secrets ?? given).map(KeyToken.init)
                guard !tokens.isEmpty else { return nil }
                for token in tokens where family == nil {
                    guard let other = owners.updateValue(setting, forKey: token.digest) else { continue }
                    reader.report(
                        setting,
                        other == setting ? "contains the same token twice" : shared(with: other, tokens, reader)
                    )
                }
                reader.warnIfShort(setting, given)
                let models = reader.patterns(key(instance, "MODELS"))
                let own = reader.groups(in: key(instance, "GROUP"), of: groups)
                let known = KeySettings(
                    name: instance.asName,
                    tokens: tokens,
                    models: models,
                    limits: reader.limits(prefix, instance),
                    groups: own,
                    voice: own.first?.identity ?? .knownKey(named: instance),
                    patience: reader.patience(of: instance),
                    endsAt: reader.end(of: instance),
                    family: family?.value
                )
                if let warning = known.endWarning(at: Timestamp.now()) {
                    reader.warn(key(instance, "EXPIRES"), warning)
                }
                return known
            }
        reader.refuseEmptyGroups(groups, keys)
        return keys
    }

    private static func shared(with other: SettingKey, _ tokens: [KeyToken], _ reader: SettingsReader) -> String {
        let isSame = tokens.count == 1 && reader.list(other).count == 1
        return "\(isSame ? "is the same as" : "shares a token with") \(other.name) (\(reader.location(other)))"
    }

    static func key(_ instance: String, _ field: String) -> SettingKey {
        SettingKey(prefix: prefix, instance: instance, field: field)
    }
}

extension GroupSettings {
    private static let prefix = "GROUP_"

    fileprivate static func all(_ reader: SettingsReader) -> [GroupSettings] {
        reader.instances(of: prefix)
            .map { instance in
                GroupSettings(
                    name: instance.asName,
                    identity: .group(named: instance),
                    models: reader.patterns(SettingKey(prefix: prefix, instance: instance, field: "MODELS")),
                    limits: reader.limits(prefix, instance)
                )
            }
    }
}

extension SettingsReader {
    /// Returns the groups that a setting names, each once. Reports names without a group.
    fileprivate mutating func groups(in key: SettingKey, of all: [GroupSettings]) -> [GroupSettings] {
        let names = list(key).map(\.asInstance).withoutRepeats
        if names == ["OFF"] {
            guard all.contains(where: { $0.name == "off" }) else { return [] }
            report(key, "off means no group, but the settings GROUP_OFF_... declare one; give it another name")
        }
        for name in names where !all.contains(where: { $0.name == name.asName }) {
            if problems.contains(where: { $0.name?.hasPrefix("GROUP_\(name)_") ?? false }) { continue }
            let near = nearest(to: name, among: all.map(\.name.asInstance)).map { "; did you mean \($0.asName)?" }
            let advice = near ?? "; set its limits, as in GROUP_\(name)_RATE_LIMIT=500 usd/30 days"
            report(key, "no setting of a group \"\(name.asName)\" exists\(advice)")
        }
        return names.compactMap { name in all.first { $0.name == name.asName } }
    }

    /// Returns the time from which a key is refused, in milliseconds since 1970: `.min` if it is switched off, nil if it
    /// has no end.
    fileprivate func end(of instance: String) -> Int? {
        if !boolean(KeySettings.key(instance, "ENABLED")) { return .min }
        guard let text = text(KeySettings.key(instance, "EXPIRES")) else { return nil }
        let day = text.withBytes { Day($0) }
        return day.map { DayZone(named: timeZone).startMilliseconds(of: $0.adding(days: 1)) }
            ?? DateTime.milliseconds(text)
    }

    /// Returns the family that a secret or an issuer declares, and its secrets; nil if the caller has tokens.
    fileprivate mutating func family(of instance: String) -> (value: KeyFamily, secrets: [String])? {
        let issuer = KeySettings.key(instance, "JWT_ISSUER")
        if given[issuer] != nil { return signedFamily(of: instance) }
        for stray in ["JWT_AUDIENCE", "JWT_CLAIM", "JWT_WHERE"].map({ KeySettings.key(instance, $0) })
        where given[stray] != nil {
            report(stray, "belongs to signed tokens; set \(issuer.name), or remove this line")
        }
        let (setting, before) = (KeySettings.key(instance, "SECRET"), KeySettings.key(instance, "SECRET_BEFORE"))
        let (token, revoked) = (KeySettings.key(instance, "TOKEN"), KeySettings.key(instance, "REVOKED"))
        guard let secret = text(setting) else {
            for stray in [before, revoked] where given[stray] != nil {
                report(stray, "belongs to a family; set \(setting.name) in place of \(token.name), or remove this line")
            }
            return nil
        }
        if given[token] != nil {
            report(setting, "\(token.name) is also set (\(location(token))); remove one of them")
            return nil
        }
        for key in [setting, before] where (1..<Self.minFamilyCharacters).contains(text(key)?.utf8.count ?? 0) {
            report(key, "must have at least \(Self.minFamilyCharacters) characters; \(Self.advice)")
        }
        for item in list(revoked) where !KeyFamily.isRevocation(item) {
            report(revoked, "\"\(item)\" is no member, such as ann, and no key by its last day, such as ann.20850")
        }
        let secrets = [secret] + [text(before)].compactMap(\.self)
        let (name, zone) = (instance.asName, DayZone(named: timeZone))
        return (KeyFamily(name: name, secrets: secrets, revoked: list(revoked), zone: zone), secrets)
    }

    /// Returns the family whose members have signed tokens of an issuer.
    private mutating func signedFamily(of instance: String) -> (value: KeyFamily, secrets: [String])? {
        func key(_ field: String) -> SettingKey { KeySettings.key(instance, field) }
        let (setting, audience) = (key("JWT_ISSUER"), text(key("JWT_AUDIENCE")))
        for other in [key("TOKEN"), key("SECRET"), key("SECRET_BEFORE")] where given[other] != nil {
            report(setting, "\(other.name) is also set (\(location(other))); remove one of them")
        }
        let name = "the relay's name in tokens (aud), without which tokens for other programs would do"
        if audience == nil { report(setting, "needs \(key("JWT_AUDIENCE").name): \(name)") }
        let secret = text("FILE_ID_SECRET")
        if secret == nil { report(setting, "needs FILE_ID_SECRET, because no caller has a token; \(Self.advice)") }
        guard let issuer = text(setting) else { return nil }
        if !issuer.hasPrefix("https://") {
            report(setting, "must be an https URL: who serves its keys decides who calls")
        }
        let documents = ["openid-configuration", "oauth-authorization-server", "jwks.json"].map { "/.well-known/" + $0 }
        if let ending = documents.first(where: issuer.hasSuffix) {
            report(setting, "is the URL of a document of the issuer; write \(issuer.dropLast(ending.utf8.count))")
        }
        var conditions = [TokenRule.Condition(path: "aud", value: audience ?? "")]
        for item in text(key("JWT_WHERE"))?.split(separator: ";").map(\.trimmed) ?? [] where !item.isEmpty {
            let parts = item.split(separator: "=", maxSplits: 1).map { String($0.trimmed) }
            if parts.count != 2 { report(key("JWT_WHERE"), "\"\(item)\" is no claim with its value, as in groups=ai") }
            warnOfWhere(key("JWT_WHERE"), String(item), value: parts.last ?? "")
            conditions.append(TokenRule.Condition(path: parts.first ?? "", value: parts.last ?? ""))
        }
        for item in list(key("REVOKED")) where item.contains(";") {
            report(key("REVOKED"), "\"\(item)\" is no member; separate members by commas")
        }
        let rule = TokenRule(issuer: issuer, claim: text(key("JWT_CLAIM")) ?? "", conditions: conditions)
        let (zone, revoked) = (DayZone(named: timeZone), list(key("REVOKED")))
        let family = KeyFamily(name: instance.asName, secrets: [], revoked: revoked, zone: zone, rule: rule)
        return (family, [secret ?? ""])
    }

    /// Warns of a condition of signed tokens that no token fits.
    private mutating func warnOfWhere(_ setting: SettingKey, _ item: String, value: String) {
        let parts = value.split(separator: ",", maxSplits: 1)
        // The name of a group in a directory is `cn=ai,ou=school`.
        if parts.count == 2, !parts[0].contains("="), parts[1].contains("=") {
            warn(setting, "\"\(item)\" is one condition; separate conditions by semicolons")
        }
        if value.hasPrefix("\"") || value.hasPrefix("'") {
            warn(setting, "write \(item) without the quotes, which count")
        }
    }

    fileprivate mutating func refuseEmptyGroups(_ groups: [GroupSettings], _ keys: [KeySettings]) {
        if problems.contains(where: { $0.name?.hasSuffix("_GROUP") ?? false }) { return }
        for group in groups where !keys.contains(where: { $0.groups.contains(group) }) {
            let settings = given.keys.filter { $0.prefix == "GROUP_" && $0.instance == group.name.asInstance }
            guard let first = settings.min(by: { $0.name < $1.name }) else { continue }
            report(first, "no key belongs to this group; set KEY_<NAME>_GROUP=\(group.name)")
        }
    }

    /// The number of characters below which a token or secret counts as too short.
    private static let minCharacters = 16
    /// The number for a secret that computes keys. Who has one of these keys can try guesses of the secret.
    private static let minFamilyCharacters = 32
    private static let advice = "`openssl rand -hex 24` makes a secure value"

    mutating func warnIfShort(_ key: SettingKey, _ tokens: [String]) {
        guard tokens.contains(where: { $0.utf8.count < Self.minCharacters }) else { return }
        // Short tokens are no error, since many private relays use them.
        warn(key, "a token of fewer than \(Self.minCharacters) characters can be guessed; \(Self.advice)")
    }

    /// Reports a problem if a secret is too short.
    mutating func refuseShortSecret(_ key: SettingKey) {
        guard let secret = text(key), secret.utf8.count < Self.minCharacters else { return }
        report(key, "a secret of fewer than \(Self.minCharacters) characters can be guessed; \(Self.advice)")
    }
}

extension SettingFamily {
    /// The reason why no key has the NAME `DEFAULT`.
    package static let reasonOfDefaults =
        "KEY_DEFAULT_... are what each key has that does not set its own; rename this key"

    static let keys = SettingFamily(
        prefix: "KEY_",
        declaring: ["TOKEN", "SECRET", "JWT_ISSUER"],
        defaults: "DEFAULT",
        title: "Known callers (KEY_DEFAULT_...: what a key has that does not set its own)",
        rows: [
            SettingRow("TOKEN", .tokens, trait: .secret)
                .help("declares a caller: its key, or several keys that are equally valid"),
            SettingRow("SECRET", .token, trait: .secret)
                .help("in place of TOKEN: declares a family, whose keys `relay key NAME MEMBER ...` computes"),
            SettingRow("SECRET_BEFORE", .token, trait: .secret)
                .help("former SECRET, whose keys are still accepted"),
            SettingRow("REVOKED", .list, trait: .prompt)
                .help("members of the family that are refused, or single keys by their last day: ann,bob.20850"),
            SettingRow("JWT_ISSUER", .url)
                .help("in place of TOKEN: declares a family, whose members have signed tokens of this issuer (https)"),
            SettingRow("JWT_AUDIENCE", .text).help("audience (aud) that the tokens must have"),
            SettingRow("JWT_CLAIM", .text, "sub").help("claim that names the member; or its path: a.b"),
            SettingRow("JWT_WHERE", .text)
                .help("claims that the tokens must have: groups=ai-users;email_verified=true"),
            SettingRow("MODELS", .patterns, "all").help("models that the caller may use"),
            SettingRow("EXPIRES", .moment)
                .help("last day of the key in TIMEZONE, or the time from which it is refused; default: none"),
            SettingRow("ENABLED", .boolean, "true").help("false: the key is refused"),
            SettingRow("GROUP", .words).help("groups of callers whose limits the caller shares; off: none"),
            SettingRow("RATE_LIMIT", .limits).help("limits of all requests of the caller together"),
            SettingRow("RATE_LIMIT_WAIT", .duration(.zero ... .seconds(600)))
                .help("longest time that a request of the caller waits, in place of RATE_LIMIT_WAIT"),
            SettingRow("RATE_LIMIT_SESSION", .limits)
                .help(
                    "limits of each session of the caller, in place of those of its groups and of RATE_LIMIT_SESSION"
                ),
            SettingRow("RATE_LIMIT_USER", .limits)
                .help("limits of each end user of the caller, in place of those of its groups and of RATE_LIMIT_USER"),
        ] + SettingRow.endpointLimits("limits of the caller for this group of endpoints, in place of everybody's")
    )

    static let groups = SettingFamily(
        prefix: "GROUP_",
        title: "Groups of known callers, which share limits besides their own",
        rows: [
            SettingRow("MODELS", .patterns, "all").help("models that KEY_<NAME>_MODELS of a member may permit"),
            SettingRow("RATE_LIMIT", .limits).help("limits of all requests of all members together"),
            SettingRow("RATE_LIMIT_SESSION", .limits)
                .help("limits of each session of each member, in place of RATE_LIMIT_SESSION"),
            SettingRow("RATE_LIMIT_USER", .limits)
                .help("limits of each end user of each member, in place of RATE_LIMIT_USER"),
        ] + SettingRow.endpointLimits("limits of all members together for this group of endpoints")
    )
}

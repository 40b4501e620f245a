import Engine
import Limits

extension KeySettings {
    private static let prefix = "KEY_"

    static func all(_ reader: inout SettingsReader) -> [KeySettings] {
        var owners: [Digest: SettingKey] = [:]
        return reader.instances(of: prefix)
            .compactMap { instance in
                let setting = key(instance, "TOKEN")
                let given = reader.list(setting)
                guard !given.isEmpty else { return nil }
                let tokens = given.map(KeyToken.init)
                for token in tokens {
                    guard let other = owners.updateValue(setting, forKey: token.digest) else { continue }
                    reader.report(
                        setting,
                        other == setting ? "contains the same token twice" : shared(with: other, tokens, reader)
                    )
                }
                reader.warnIfShort(setting, given)
                let quotas = quotas(instance, reader)
                return KeySettings(
                    name: instance.asName,
                    tokens: tokens,
                    models: reader.patterns(key(instance, "MODELS")),
                    quotas: quotas.all,
                    groupQuotas: quotas.groups
                )
            }
    }

    private static func shared(with other: SettingKey, _ tokens: [KeyToken], _ reader: SettingsReader) -> String {
        let isSame = tokens.count == 1 && reader.list(other).count == 1
        return "\(isSame ? "is the same as" : "shares a token with") \(other.name) (\(reader.location(other)))"
    }

    static func key(_ instance: String, _ field: String) -> SettingKey {
        SettingKey(prefix: prefix, instance: instance, field: field)
    }
}

extension SettingsReader {
    /// The number of characters below which a token or secret counts as too short.
    private static let minCharacters = 16
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
    static let keys = SettingFamily(
        "KEY_",
        declaring: "TOKEN",
        "Known callers",
        rows: [
            SettingRow("TOKEN", .tokens, trait: .secret)
                .help("declares a caller: its key, or several keys that are equally valid"),
            SettingRow("MODELS", .patterns, "all").help("models that the caller may use"),
            SettingRow("RATE_LIMIT", .limits).help("limits of all requests of the caller together"),
            SettingRow("RATE_LIMIT_CHAT", .limits)
                .help("limits of the caller's chat requests, in place of RATE_LIMIT_CHAT"),
            SettingRow("RATE_LIMIT_IMAGES", .limits)
                .help("limits of the caller's image requests, in place of RATE_LIMIT_IMAGES"),
            SettingRow("RATE_LIMIT_AUDIO", .limits)
                .help("limits of the caller's audio requests, in place of RATE_LIMIT_AUDIO"),
            SettingRow("RATE_LIMIT_FILES", .limits)
                .help("limits of the caller's file requests, in place of RATE_LIMIT_FILES"),
            SettingRow("RATE_LIMIT_MODELS", .limits)
                .help("limits of the caller's model list requests, in place of RATE_LIMIT_MODELS"),
        ]
    )
}

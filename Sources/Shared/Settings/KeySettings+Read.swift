extension KeySettings {
    private static let prefix = "KEY_"

    static func all(_ reader: inout SettingsReader) -> [KeySettings] {
        var owners: [Digest: SettingKey] = [:]
        return reader.instances(of: prefix)
            .compactMap { instance in
                let setting = key(instance, "TOKEN")
                guard let token = reader.text(setting) else { return nil }
                let digest = Digest(of: token)
                if let other = owners.updateValue(setting, forKey: digest) {
                    reader.note(setting, "is the same as \(other.name) (\(reader.place(other)))")
                }
                let quotas = quotas(instance, reader)
                return KeySettings(
                    name: instance.asName,
                    digest: digest,
                    fileSecret: FileOwner.secret(ofToken: token),
                    models: reader.patterns(key(instance, "MODELS")),
                    quotas: quotas.all,
                    groupQuotas: quotas.groups
                )
            }
    }

    static func key(_ instance: String, _ field: String) -> SettingKey {
        SettingKey(prefix: prefix, instance: instance, field: field)
    }
}

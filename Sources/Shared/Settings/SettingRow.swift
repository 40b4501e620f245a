/// The definition of a setting: the name of its variable, the type and default of its value, and its help text.
package struct SettingRow: Sendable {
    /// The kind of a setting's value: plain, secret, or a long prompt. It decides how the value is displayed, and
    /// whether a file can contain the value.
    package enum Trait: Sendable {
        case plain
        /// A secret value, which is never displayed completely. The variable `<setting>_FILE` can name a file that
        /// contains the value.
        case secret
        /// A long value that is not secret. The variable `<setting>_FILE` can name a file that contains the value.
        case prompt
    }

    /// The name of the setting's variable. For a field of a family such as `PROVIDER_<NAME>_<FIELD>`, it is the name of
    /// the field only, such as `KIND`.
    package let name: String
    package let type: SettingType
    /// The default value in the form that a user would write; empty if the setting is unset by default.
    package let fallback: String
    package let trait: Trait
    package let help: String

    package init(_ name: String, _ type: SettingType, _ fallback: String, _ help: String, _ trait: Trait = .plain) {
        self.name = name
        self.type = type
        self.fallback = fallback
        self.trait = trait
        self.help = help
    }

    var mayComeFromFile: Bool { trait != .plain }
}

/// A group of settings with a common heading in `.env.example` and in the help text.
package struct SettingSection: Sendable {
    let title: String
    let rows: [SettingRow]

    package init(_ title: String, _ rows: [SettingRow]) {
        self.title = title
        self.rows = rows
    }
}

/// A family of settings that a user can set for each provider, caller or panel, such as `PROVIDER_<NAME>_<FIELD>`. A
/// provider, caller or panel is called an instance of the family. An instance exists if its declaring field is set,
/// such as `PROVIDER_A_KIND`.
package struct SettingFamily: Sendable {
    /// The prefix of the family's variables with its underscore, such as `PROVIDER_`.
    let prefix: String
    /// The name of the field that declares an instance, such as `KIND` for providers. The instance's other fields have
    /// no effect without it.
    let declaring: String
    let title: String
    let rows: [SettingRow]

    package init(_ prefix: String, declaring: String, _ title: String, rows: [SettingRow]) {
        self.prefix = prefix
        self.declaring = declaring
        self.title = title
        self.rows = rows
    }
}

/// The key of a setting's value: either a global setting, or a field of one instance such as `PROVIDER_A_KIND`.
package struct SettingKey: Hashable, Sendable {
    let prefix: String
    let instance: String
    let field: String

    static func global(_ name: String) -> SettingKey { SettingKey(prefix: "", instance: "", field: name) }

    /// The name of the variable as a user writes it.
    var name: String { prefix.isEmpty ? field : "\(prefix)\(instance)_\(field)" }
}

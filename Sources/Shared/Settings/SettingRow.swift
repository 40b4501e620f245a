/// One row of the table of settings: the name of a variable, the type of its value, and its help text.
package struct SettingRow: Sendable {
    /// The way in which a value may be given and displayed.
    package enum Trait: Sendable {
        case plain
        /// A value that is never displayed completely. `X_FILE` may name a file that contains it.
        case secret
        /// A long value that may be displayed. `X_FILE` may name a file that contains it.
        case prompt
    }

    /// The full name, or in a family the part after `PREFIX_<NAME>_`.
    package let name: String
    package let type: SettingType
    /// The default value, as a user would write it; empty: unset.
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

/// Rows that belong together, under one heading in `.env.example` and in the help text.
package struct SettingSection: Sendable {
    let title: String
    let rows: [SettingRow]

    package init(_ title: String, _ rows: [SettingRow]) {
        self.title = title
        self.rows = rows
    }
}

/// Variables named `PREFIX_<NAME>_<FIELD>`. Each NAME whose declaring field is set is one instance.
package struct SettingFamily: Sendable {
    /// The prefix with its underscore, such as `PROVIDER_`.
    let prefix: String
    /// The field that declares an instance. Without it the other fields have no effect.
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

/// The key of one value: a global setting, or one field of one instance of a family.
package struct SettingKey: Hashable, Sendable {
    let prefix: String
    let instance: String
    let field: String

    static func global(_ name: String) -> SettingKey { SettingKey(prefix: "", instance: "", field: name) }

    /// The name of the variable as a user writes it.
    var name: String { prefix.isEmpty ? field : "\(prefix)\(instance)_\(field)" }
}

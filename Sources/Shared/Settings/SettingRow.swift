/// One line of the table of settings: what a variable is called, how its value is read, and what a user is told of it.
package struct SettingRow: Sendable {
    /// The ways in which the value may be given and shown.
    package enum Trait: Sendable {
        case plain
        /// Never shown whole; `X_FILE` may name a file that holds it.
        case secret
        /// Shown, but long: `X_FILE` may name a file that holds it.
        case prompt
    }

    /// The whole name, or in a family the part after `PREFIX_<NAME>_`.
    package let name: String
    package let type: SettingType
    /// In the form a user would write it; empty: unset.
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

/// Rows that belong together, under a heading in `.env.example` and in the help text.
package struct SettingSection: Sendable {
    let title: String
    let rows: [SettingRow]

    package init(_ title: String, _ rows: [SettingRow]) {
        self.title = title
        self.rows = rows
    }
}

/// Variables named `PREFIX_<NAME>_<FIELD>`; each NAME that has the declaring field is one instance.
package struct SettingFamily: Sendable {
    /// With its underscore: `PROVIDER_`.
    let prefix: String
    /// The field without which the others mean nothing.
    let declaring: String
    let title: String
    let rows: [SettingRow]

    package init(_ prefix: String, declaring: String, _ title: String, _ rows: [SettingRow]) {
        self.prefix = prefix
        self.declaring = declaring
        self.title = title
        self.rows = rows
    }
}

/// The name of one value: a global setting, or one field of one instance of a family.
package struct SettingKey: Hashable, Sendable {
    let prefix: String
    let instance: String
    let field: String

    static func global(_ name: String) -> SettingKey { SettingKey(prefix: "", instance: "", field: name) }

    /// The variable's name as a user writes it.
    var name: String { prefix.isEmpty ? field : "\(prefix)\(instance)_\(field)" }
}

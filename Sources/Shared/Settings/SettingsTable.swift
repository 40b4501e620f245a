/// The table of all known settings, from which parsing, checks, `.env.example`, the help text and spelling hints are
/// derived. A new setting needs a row in `SettingsTable.product` and a property of `Settings` for its value.
package struct SettingsTable: Sendable {
    package let sections: [SettingSection]
    package let families: [SettingFamily]
    /// The name prefixes that only the relay's variables have. An unknown variable with such a prefix is a mistake,
    /// even in the process environment.
    let ownPrefixes: [String]
    /// The name prefixes that variables of other programs may also have. An unknown variable with such a prefix in the
    /// process environment only causes a warning.
    let sharedPrefixes: [String]
    /// The first lines of `.env.example`.
    let exampleHeading: String
    /// The definitions of all global settings, from all sections.
    let globals: [SettingRow]

    package init(
        sections: [SettingSection],
        families: [SettingFamily],
        ownPrefixes: [String] = [],
        sharedPrefixes: [String] = [],
        exampleHeading: String = ""
    ) {
        self.sections = sections
        self.families = families
        self.ownPrefixes = ownPrefixes
        self.sharedPrefixes = sharedPrefixes
        self.exampleHeading = exampleHeading
        globals = sections.flatMap(\.rows)
    }
}

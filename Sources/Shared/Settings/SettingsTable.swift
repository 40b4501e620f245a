/// The table of settings. Parsing, checks, `.env.example`, the help text and spelling hints are derived from it. A new
/// setting is a row of `SettingsTable.product`, and a field of `Settings` for its value.
package struct SettingsTable: Sendable {
    package let sections: [SettingSection]
    package let families: [SettingFamily]
    /// The prefixes of the relay's own variables. Unknown names with them are mistakes, also in the process
    /// environment.
    let ownPrefixes: [String]
    /// The prefixes that other software uses, too. Unknown names with them in the process environment only cause a
    /// warning.
    let sharedPrefixes: [String]
    /// The first lines of `.env.example`.
    let exampleHeading: String
    /// The rows of all sections.
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

/// A table of settings. Reading, checks, `.env.example`, the help text and the hints for misspelt names come from it: a new
/// setting is a row of `SettingsTable.product`, and a field of `Settings` that takes its value.
package struct SettingsTable: Sendable {
    package let sections: [SettingSection]
    package let families: [SettingFamily]
    /// Unknown names that begin so are mistakes, also in the process environment.
    let ownPrefixes: [String]
    /// Other software uses such names too: unknown ones in the process environment are worth a warning.
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

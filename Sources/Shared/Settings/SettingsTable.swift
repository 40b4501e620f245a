/// The table of all known settings. A new setting needs a row in `SettingsTable.product` and a property of `Settings`.
package struct SettingsTable: Sendable {
    package let sections: [SettingSection]
    package let families: [SettingFamily]
    /// The name prefixes of the relay's own variables. An unknown variable with such a prefix is a mistake.
    let ownPrefixes: [String]
    /// The name prefixes that other programs' variables may also have. In the environment, an unknown variable with
    /// such a prefix only causes a warning.
    let sharedPrefixes: [String]
    /// The first lines of `.env.example`.
    let exampleHeading: String
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

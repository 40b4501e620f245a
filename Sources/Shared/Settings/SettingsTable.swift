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
    package let globals: [SettingRow]

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

    /// The groups of settings in the order of the listings. The prefix is that of the names of the group's settings.
    private func groups(ofInstance name: String) -> [(title: String, rows: [SettingRow], prefix: String)] {
        sections.map { ($0.title, $0.rows, "") } + families.map { ($0.title, $0.rows, "\($0.prefix)\(name)_") }
    }

    /// The contents of `.env.example`: every setting, commented out, with its default value.
    package var example: String {
        let parts = groups(ofInstance: "NAME").map { title, rows, prefix in
            let heading = prefix.isEmpty ? title : "\(title): \(prefix.dropLast(5))<NAME>_..."
            return "\n# --- \(heading)\n" + rows.map { $0.exampleLines(prefix) }.joined()
        }
        return exampleHeading + parts.joined()
    }

    /// The documentation page that lists all settings, in Markdown.
    package var reference: String {
        let parts = groups(ofInstance: "<NAME>").map { title, rows, prefix in
            "\n## \(title)\n| setting | default | value | meaning |\n|---|---|---|---|\n"
                + rows.filter { row in rows.first { $0.help == row.help }?.name == row.name }
                .map { row in row.referenceLine(rows.filter { $0.help == row.help }.map { prefix + $0.name }) }
                .joined()
        }
        return Self.referenceHeading + parts.joined()
    }

    private static let referenceHeading = """
        # All settings

        [Configuration](configure.md) says where settings stand and how they work together. A setting with *file* may also be given as `<NAME>_FILE`, the path of a file that holds it.

        | value | what to write |
        |---|---|
        | limits | `off`, or [limits](limits.md) such as `60/minute;2000/day` |
        | a time | `500ms`, `30s`, `5m`, `2h`, or a number of seconds |
        | a URL | `https://host` or `https://host/path` |
        | a word | 1 to 512 visible ASCII characters; *words* are several, separated by commas |
        | names, models | names separated by commas; *patterns* may also be `prefix*` or `all` |

        A test compares this page with the table of settings; `UPDATE_EXAMPLE=1 swift test --filter ExampleTests` writes it.

        """

    /// The list of settings in `relay --help`, each line indented by two spaces.
    package var help: String {
        groups(ofInstance: "<NAME>")
            .map { title, rows, prefix in "\n\(title)\n" + rows.map { $0.helpLine(prefix) }.joined() }
            .joined()
    }
}

extension SettingRow {
    fileprivate func exampleLines(_ prefix: String) -> String {
        let quoted = fallback.last == " " ? "\"\(fallback)\"" : fallback
        return "# \(help)\(shownUnit)\(fileHint(prefix))\n#\(prefix)\(name)=\(quoted)\n"
    }

    private var shownUnit: String { type.unit.isEmpty ? "" : " (\(type.unit))" }

    private func fileHint(_ prefix: String) -> String {
        mayComeFromFile ? "; or \(prefix)\(name)_FILE: path of a file with the value" : ""
    }

    /// Returns the row of the table for this setting and for others that differ only in their names.
    fileprivate func referenceLine(_ names: [String]) -> String {
        let cells = [
            names.map { "`\($0)`" }.joined(separator: ", ") + (mayComeFromFile ? " *file*" : ""),
            fallback.isEmpty ? "" : "`\(fallback)`",
            type.reference, help,
        ]
        return "| " + cells.map { $0.split(separator: "|").joined(separator: "\\|") }.joined(separator: " | ") + " |\n"
    }

    fileprivate func helpLine(_ prefix: String) -> String {
        let title = prefix + name
        let column = 32
        let gap = String(repeating: " ", count: max(1, column - title.count))
        let standard = fallback.isEmpty ? "" : " [\(fallback)]"
        return "  \(title)\(gap)\(help)\(shownUnit)\(standard)\(fileHint(prefix))\n"
    }
}

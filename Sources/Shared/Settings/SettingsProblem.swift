/// A problem with one setting, and its source. It contains no secret.
package struct SettingsProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// The source of the setting: `environment`, or a file and line such as `.env:4`.
    package let location: String
    /// The name of the variable; nil if the line has none.
    package let name: String?
    /// The description, in one line.
    package let text: String

    package init(location: String, name: String?, text: String) {
        self.location = location
        self.name = name
        // The text may quote a value with line ends.
        self.text = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 ? " " : $0 }))
    }

    package var description: String { name.map { "\(location)  \($0): \(text)" } ?? "\(location)  \(text)" }
}

extension [SettingsProblem] {
    /// Returns all problems under one heading, one per line; empty if there are none. `word` is the singular noun for a
    /// problem.
    package func report(_ word: String) -> String {
        if isEmpty { return "" }
        let heading = "configuration: \(count) \(word)\(count == 1 ? "" : "s")\n"
        return heading + map { "  \($0)\n" }.joined()
    }
}

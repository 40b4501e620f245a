/// A problem with a setting, and the place of the setting. It contains no secret.
package struct SettingsProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// The place of the setting: `environment`, or a file and line such as `.env:4`.
    package let location: String
    /// The name of the setting's variable; nil if the problem is not about one variable.
    package let name: String?
    /// The description of the problem, on one line.
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
    /// Returns a report with one line for each problem; empty if there are none.
    ///
    /// - Parameter word: the singular noun in the heading, `problem` or `warning`.
    package func report(_ word: String) -> String {
        if isEmpty { return "" }
        let heading = "configuration: \(count) \(word)\(count == 1 ? "" : "s")\n"
        return heading + map { "  \($0)\n" }.joined()
    }
}

/// A problem of one setting, and its place. Holds no secret.
package struct SettingsProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// `environment`, or a file and line: `.env:4`.
    package let place: String
    /// The variable; nil where a line has none.
    package let name: String?
    /// One line.
    package let text: String

    package init(place: String, name: String?, text: String) {
        self.place = place
        self.name = name
        // It may repeat a value, which may have several.
        self.text = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 ? " " : $0 }))
    }

    package var description: String { name.map { "\(place)  \($0): \(text)" } ?? "\(place)  \(text)" }
}

extension [SettingsProblem] {
    /// All of them under one heading, each on its own line; empty if there are none. `word` is what one is called.
    package func report(_ word: String) -> String {
        if isEmpty { return "" }
        let heading = "configuration: \(count) \(word)\(count == 1 ? "" : "s")\n"
        return heading + map { "  \($0)\n" }.joined()
    }
}

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
    /// The problems in the order of their places: by source, those of the environment first, then by line.
    package var byPlace: [SettingsProblem] {
        var sources = ["environment"]
        var places: [(source: Int, line: Int)] = []
        for problem in self {
            let colon = problem.location.lastIndex(of: ":")
            let line = colon.flatMap { Int(problem.location[$0...].dropFirst()) }
            let source = line == nil ? problem.location[...] : problem.location[..<(colon ?? problem.location.endIndex)]
            if !sources.contains(where: { $0 == source }) { sources.append(String(source)) }
            places.append((sources.firstIndex { $0 == source } ?? 0, line ?? 0))
        }
        // The positions keep the order of problems with one place.
        return indices.sorted { (places[$0].source, places[$0].line, $0) < (places[$1].source, places[$1].line, $1) }
            .map { self[$0] }
    }

    /// Returns a report with one line for each problem; empty if there are none.
    /// - Parameter word: the singular noun in the heading, `problem` or `warning`.
    package func report(_ word: String) -> String {
        if isEmpty { return "" }
        let heading = "configuration: \(count) \(word)\(count == 1 ? "" : "s")\n"
        return heading + map { "  \($0)\n" }.joined()
    }
}

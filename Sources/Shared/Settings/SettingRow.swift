/// The definition of a setting: its name, type, default and help text.
package struct SettingRow: Sendable {
    /// The kind of a setting's value: plain, secret, or a long prompt. It decides whether `<setting>_FILE` is allowed,
    /// and whether the shown value is masked.
    package enum Trait: Sendable {
        case plain
        /// A secret value. The variable `<setting>_FILE` can name a file that contains it.
        case secret
        /// A long value. The variable `<setting>_FILE` can name a file that contains it.
        case prompt
    }

    /// The name of the setting's variable, such as `PORT`. For a setting of each provider, caller or panel, it is only
    /// the last part: `KIND` for `PROVIDER_<NAME>_KIND`.
    package let name: String
    package let type: SettingType
    /// The default value as a user would write it; empty if there is none.
    package let fallback: String
    package let trait: Trait
    package private(set) var help = ""
    /// The words of the family's declaring field beside which the setting may be set; nil for all.
    private(set) var kinds: [String]?

    package init(_ name: String, _ type: SettingType, _ fallback: String = "", trait: Trait = .plain) {
        self.name = name
        self.type = type
        self.fallback = fallback
        self.trait = trait
    }

    package func help(_ text: String) -> SettingRow {
        var row = self
        row.help = text
        return row
    }

    func only(beside kinds: [String]) -> SettingRow {
        var row = self
        row.kinds = kinds
        return row
    }

    var mayComeFromFile: Bool { trait != .plain }
}

/// A group of settings with a common heading in `.env.example` and in the help text.
package struct SettingSection: Sendable {
    let title: String
    let rows: [SettingRow]

    package init(_ title: String, _ rows: SettingRow...) {
        self.title = title
        self.rows = rows
    }
}

/// The settings that each provider, each caller or each panel has, such as `PROVIDER_<NAME>_<FIELD>`.
///
/// A provider is declared by setting its declaring field, such as `PROVIDER_A_KIND`; so is a caller or a panel. Any field
/// declares a group of callers.
package struct SettingFamily: Sendable {
    /// The beginning of the variables' names, such as `PROVIDER_` with its underscore.
    let prefix: String
    /// The fields of which each declares a provider, caller or panel when it is set, such as `KIND` for providers. The first
    /// is the usual one. Empty if each field does.
    var declaring: [String] = []
    /// The NAME whose settings each member of the family has that does not set its own; nil if there is none.
    var defaults: String?
    let title: String
    let rows: [SettingRow]
}

/// The key of a setting: a global setting, or a field of a provider, caller or panel such as `PROVIDER_A_KIND`.
package struct SettingKey: Hashable, Sendable {
    let prefix: String
    let instance: String
    let field: String

    static func global(_ name: String) -> SettingKey { SettingKey(prefix: "", instance: "", field: name) }

    /// The name of the setting, such as `PROVIDER_A_KIND`.
    package var name: String { prefix.isEmpty ? field : "\(prefix)\(instance)_\(field)" }
}

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
        // The indices keep the order of problems with one place.
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

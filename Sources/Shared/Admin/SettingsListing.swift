/// The settings in force as an operator may see them, secrets masked.
package struct SettingsListing: Sendable {
    package let settings: [EffectiveSetting]
    package let warnings: [String]

    package init(_ settings: [EffectiveSetting] = [], warnings: [SettingsProblem] = []) {
        self.settings = settings
        self.warnings = warnings.map { "\($0)" }
    }

    /// The places that settings come from, each once: `environment`, files and documents.
    package var sources: [String] {
        var sources: [String] = []
        for setting in settings where setting.isGiven {
            let source = setting.place.withoutLine
            if !sources.contains(source) { sources.append(source) }
        }
        return sources
    }

    /// The settings in dotenv form, each line with its source.
    package var content: String { settings.map { "\($0.name)=\($0.dotenvValue)  # \($0.place)\n" }.joined() }
}

extension EffectiveSetting {
    /// Whether somebody set the value: it is not the default.
    package var isGiven: Bool { place != "default" }
}

extension String {
    /// A place without the number of its line.
    fileprivate var withoutLine: String {
        let colon = lastIndex(of: ":")
        guard let colon, self[colon...].dropFirst().allSatisfy(\.isWholeNumber) else { return self }
        return String(self[..<colon])
    }
}

import Engine

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

    /// Digits of a digest of the settings that all instances at one store should have in common, secrets as they are masked.
    package var commonDigest: String {
        let common = settings.filter { !Self.ownNames.contains($0.name) }
        let digest = Digest(of: common.map { "\($0.name)=\($0.shown)\n" }.joined())
        return digest.withBytes { bytes in
            bytes.prefix(6).map { String(UInt16($0) | 0x100, radix: 16).dropFirst() }.joined()
        }
    }

    private static let ownNames: Set<String> = ["HOST", "PORT", "ADMIN_LISTEN", "DATA_DIR"]

    /// The first token of each known key as it is masked, by the names of the keys.
    package var tokens: [String: String] {
        var tokens: [String: String] = [:]
        for setting in settings where setting.name.hasPrefix("KEY_") && setting.name.hasSuffix("_TOKEN") {
            let name = setting.name.dropFirst(4).dropLast(6).lowercased().split(separator: "_").joined(separator: "-")
            tokens[name] = setting.shown.split(separator: ",").first.map(String.init)
        }
        return tokens
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

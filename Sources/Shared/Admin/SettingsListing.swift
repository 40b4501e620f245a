import Engine

/// The current settings as an operator sees them, with secrets masked.
package struct SettingsListing: Sendable {
    package let settings: [EffectiveSetting]
    package let warnings: [String]
    /// The names of the settings whose new values are not in force before a restart.
    package let waiting: [String]
    /// A short digest of the settings, without those that can differ between instances, such as `PORT`.
    package let commonDigest: String

    package init(_ settings: [EffectiveSetting] = [], warnings: [SettingsProblem] = [], waiting: [String] = []) {
        self.settings = settings
        self.waiting = waiting
        self.warnings = warnings.map { "\($0)" }
        let common = settings.filter { !Self.ownNames.contains($0.name) }
        commonDigest = Digest(of: common.map { "\($0.name)=\($0.shown)\n" }.joined()).hexadecimal(bytes: 6)
    }

    /// The sources of the settings without duplicates: `environment`, and the names of settings files and downloaded
    /// documents.
    package var sources: [String] {
        var sources: [String] = []
        for setting in settings where setting.isGiven {
            let source = setting.location.withoutLine
            if !sources.contains(source) { sources.append(source) }
        }
        return sources
    }

    private static let ownNames: Set<String> = [
        "HOST", "PORT", "ADMIN_LISTEN", "DATA_DIR", "USAGE_LOG_FILE", "MEMCACHED_HOST", "THREADS", "MEMORY_MB",
    ]

    /// The first token of each known caller in masked form, by the caller's name.
    package var tokens: [String: String] {
        var tokens: [String: String] = [:]
        for setting in settings where setting.name.hasPrefix("KEY_") && setting.name.hasSuffix("_TOKEN") {
            let name = setting.name.dropFirst(4).dropLast(6).lowercased().split(separator: "_").joined(separator: "-")
            tokens[name] = setting.shown.split(separator: ",").first.map(String.init)
        }
        return tokens
    }

    /// Returns the names that begin with `prefix` and whose shown values differ in `other`.
    package func names(with prefix: String, differingIn other: SettingsListing) -> [String] {
        let values = Dictionary(other.settings.map { ($0.name, $0.shown) }) { first, _ in first }
        return settings.filter { $0.name.hasPrefix(prefix) && values[$0.name] != $0.shown }.map(\.name)
    }

    /// The settings in dotenv form, one on each line, with the source in a comment.
    package var content: String { settings.map { "\($0.name)=\($0.dotenvValue)  # \($0.location)\n" }.joined() }
}

extension EffectiveSetting {
    /// Whether the value was set explicitly and is not the default.
    package var isGiven: Bool { location != "default" }
}

extension String {
    fileprivate var withoutLine: String {
        let colon = lastIndex(of: ":")
        guard let colon, self[colon...].dropFirst().allSatisfy(\.isWholeNumber) else { return self }
        return String(self[..<colon])
    }
}

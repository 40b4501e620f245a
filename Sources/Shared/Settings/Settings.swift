/// Everything that an operator decides, checked. Made from the rows of `SettingsTable` by `Settings.read`.
package struct Settings: Sendable, Equatable {
    /// An IP address.
    package let host: String
    package let port: Int
    /// 0: one a core.
    package let threads: Int
    /// Without a slash at the end.
    package let publicURL: String?
    /// `["*"]`, or lower-case `scheme://host[:port]`.
    package let corsOrigins: [String]
    package let maxBodyBytes: Int
    package let shutdownSeconds: Double
    /// Nil: `/metrics` is open.
    package let metricsToken: String?
    /// A URL, perhaps with credentials: not for logs.
    package let upstreamProxy: String?
    /// A PEM file that can be read.
    package let certificateFile: String?
    package let anonymousModels: [ModelPattern]
    package let logLevel: LogLevel
    package let logFormat: LogFormat
    /// In the order in which they are tried; never empty.
    package let providers: [ProviderSettings]
}

/// One upstream account group.
package struct ProviderSettings: Sendable, Equatable {
    package enum Kind: String, CaseIterable, Sendable {
        case onemin
        case echo
    }

    /// Unique: the NAME in lower case, with `-` for `_`.
    package let name: String
    package let label: String
    package let kind: Kind
    /// Without a slash at the end; empty for `echo`.
    package let baseURL: String
    /// Where 1min.ai keeps results; empty for other kinds.
    package let assetURL: String
    /// Empty for `onemin`: its catalogue.
    package let models: [ModelName]
    package let connectTimeout: Duration
    package let firstByteTimeout: Duration
    package let idleTimeout: Duration
    package let totalTimeout: Duration
    package let http2: Bool

    /// Calls are made with the caller's own key; otherwise the provider counts as holding credentials.
    package var isPassthrough: Bool { kind == .onemin }
}

/// A value as `relay config` shows it, secrets masked.
package struct EffectiveSetting: Sendable, Equatable {
    package let name: String
    package let shown: String
    /// `default`, `environment`, or a file and line.
    package let place: String

    /// The value as a line of `.env` has it: in quotes where it would be read otherwise.
    package var dotenvValue: String {
        let isPlain = shown.utf8.allSatisfy { byte in
            byte > 32 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\")
        }
        if isPlain && shown.first != "#" { return shown }
        let escaped = shown.map { character in
            switch character {
            case "\n": "\\n"
            case "\"", "\\": "\\\(character)"
            default: String(character)
            }
        }
        return "\"\(escaped.joined())\""
    }
}

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
    package let memory: MemorySettings
    package let maxBodyBytes: Int
    package let maxUploadBytes: Int
    package let shutdownSeconds: Double
    /// Nil: `/metrics` is open.
    package let metricsToken: Digest?
    /// A URL, perhaps with credentials: not for logs.
    package let upstreamProxy: String?
    /// A PEM file that can be read.
    package let certificateFile: String?
    /// By NAME.
    package let keys: [KeySettings]
    package let anonymousModels: [ModelPattern]
    package let limits: LimitSettings
    package let fetch: FetchSettings
    /// A secret; nil: each caller's own key takes its place.
    package let fileSecret: String?
    /// Models of 1min.ai that are listed first, by the vendor's names.
    package let permittedModels: [String]
    /// No other models of 1min.ai may be used.
    package let isSubsetOnly: Bool
    /// For requests that name no model.
    package let defaultModel: String?
    /// For requests that name an unknown model.
    package let fallbackModel: String?
    /// Between two readings of the vendor's list of models; zero: it is never read.
    package let modelsRefresh: Duration
    package let logLevel: LogLevel
    package let logFormat: LogFormat
    /// In the order in which they are tried; never empty.
    package let providers: [ProviderSettings]
}

/// A caller that is known here.
package struct KeySettings: Sendable, Equatable {
    /// Unique: the NAME in lower case, with `-` for `_`.
    package let name: String
    /// At least one: whoever brings any of them is this caller.
    package let tokens: [KeyToken]
    package let models: [ModelPattern]
    /// Of all endpoints together.
    package let quotas: [Quota]
    /// In place of every caller's; none: no limit.
    package let groupQuotas: [EndpointGroup: [Quota]]
}

/// What is kept of a token, which is not.
package struct KeyToken: Sendable, Equatable {
    package let digest: Digest
    /// Derived from it; a secret, too.
    package let fileSecret: [UInt8]

    init(_ token: String) {
        digest = Digest(of: token)
        fileSecret = FileOwner.secret(ofToken: token)
    }
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
    /// Empty: the whole catalogue of 1min.ai.
    package let models: [ModelName]
    /// Calls are made with the caller's own key; otherwise the provider counts as holding credentials.
    package let isPassthrough: Bool
    /// Its own; secrets. None where it is `isPassthrough`, or needs none.
    package let apiKeys: [String]
    /// One for each key.
    package let keyWeights: [Double]
    package let connectTimeout: Duration
    package let firstByteTimeout: Duration
    package let idleTimeout: Duration
    package let totalTimeout: Duration
    package let http2: Bool
    /// Nil: not known.
    package let price: Price?
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

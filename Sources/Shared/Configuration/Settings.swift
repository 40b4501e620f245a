package import Engine
import Limits

/// Callers that may have the settings read anew, over HTTP.
package enum ReloadAccess: String, CaseIterable, Sendable {
    /// Whoever is logged in.
    case admin
    /// Programs on this machine, but for proxies.
    case local
    /// Anybody, now and then.
    case open
    case off
}

/// Everything that an operator decides, checked. Made from the rows of `SettingsTable` by `Settings.read`.
package struct Settings: Sendable, Equatable {
    /// An IP address.
    package let host: String
    package let port: Int
    /// 0: one a core.
    package let threads: Int
    /// Without a slash at the end.
    package let publicURL: String?
    /// Requests for pages that are not there are sent to it.
    package let notFoundURL: String?
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
    static let subsetOfOneMin = ["gpt-4o-mini", "gpt-4o", "o3-mini"]
    /// By the names of models that end: the names that serve then.
    package let replacements: [String: String]
    /// No other models of 1min.ai may be used.
    package let isSubsetOnly: Bool
    /// For requests that name no model.
    package let defaultModel: String?
    /// For requests that name an unknown model.
    package let fallbackModel: String?
    /// For `/generate`; nil: one of each provider.
    package let generateModel: String?
    /// Prompts for 1min.ai keep their links to videos.
    package let keepsLinks: Bool
    /// Between two readings of the vendor's list of models; zero: it is never read.
    package let modelsRefresh: Duration
    package let remotePlace: RemotePlace
    /// Callers that may have the settings read anew.
    package let reloadAccess: ReloadAccess
    /// Nil: there are no admin pages.
    package let admin: AdminSettings?
    /// A collector of traces; nil: none are sent.
    package let traceURL: String?
    package let logLevel: LogLevel
    package let logFormat: LogFormat
    /// Of usage records; nil: none is written.
    package let usageFile: UsageFileSettings?
    /// Of usage records; nil: there is none.
    package let usageDatabase: UsageDatabaseSettings?
    /// For what lasts; nil: there is none.
    package let dataFolder: String?
    package let balance: BalanceSettings
    /// Nil: no answer is kept.
    package let cache: CacheSettings?
    /// In the order of `PROVIDERS`; never empty.
    package let providers: [ProviderSettings]
    /// By NAME.
    package let panels: [Panel]
}

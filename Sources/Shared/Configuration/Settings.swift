package import Engine
import Limits

/// The clients that may trigger a reload of the settings over HTTP.
package enum ReloadAccess: String, CaseIterable, Sendable {
    /// Operators who are logged in.
    case admin
    /// Programs on this machine, except proxies.
    case local
    /// Any client, at a limited rate.
    case open
    case off
}

/// All settings of the relay, checked. `Settings.read` makes them from the rows of `SettingsTable`.
package struct Settings: Sendable, Equatable {
    /// The IP address to listen on.
    package let host: String
    package let port: Int
    /// The number of event loops; 0: one per core.
    package let threads: Int
    /// The address that clients use, without a final slash; nil if unset.
    package let publicURL: String?
    /// Whether `/usage` is a page on which callers see their own usage.
    package let hasUsagePage: Bool
    /// The address to which requests for unknown paths are redirected; nil: they get a 404.
    package let notFoundURL: String?
    /// The origins that browsers may call from: `["*"]`, or lower-case `scheme://host[:port]`.
    package let corsOrigins: [String]
    package let memory: MemorySettings
    package let maxBodyBytes: Int
    package let maxUploadBytes: Int
    package let shutdownSeconds: Double
    /// The digest of the token for `/metrics`; nil: `/metrics` needs no token.
    package let metricsToken: Digest?
    /// The URL of the proxy, which may contain credentials and must not be logged; nil: no proxy.
    package let upstreamProxy: String?
    /// The path of a readable PEM file with certificates to trust; nil: there is none.
    package let certificateFile: String?
    /// The known callers, sorted by NAME.
    package let keys: [KeySettings]
    package let anonymousModels: [ModelPattern]
    package let limits: LimitSettings
    package let fetch: FetchSettings
    /// The secret that encrypts file ids; nil: each caller's own key is used instead.
    package let fileSecret: String?
    /// The models of 1min.ai that are listed first, by the vendor's names.
    package let permittedModels: [String]
    static let subsetOfOneMin = ["gpt-4o-mini", "gpt-4o", "o3-mini"]
    /// The replacements for retired models: the new name by the old one.
    package let replacements: [String: String]
    /// Whether other models of 1min.ai than `permittedModels` are refused.
    package let isSubsetOnly: Bool
    /// The default model of requests that name none; nil if unset.
    package let defaultModel: String?
    /// The model for requests whose model no provider serves; nil if unset.
    package let fallbackModel: String?
    /// The model for `/generate` requests that name none; nil: one model of each provider.
    package let generateModel: String?
    /// Whether prompts for 1min.ai keep their links to videos.
    package let keepsLinks: Bool
    /// The interval at which the vendor's model list is read; zero: never.
    package let modelsRefresh: Duration
    package let remoteLocation: RemoteLocation
    /// The clients that may trigger a reload of the settings.
    package let reloadAccess: ReloadAccess
    /// The settings of the admin pages; nil: there are no admin pages.
    package let admin: AdminSettings?
    /// The URL of a trace collector; nil: no traces are sent.
    package let traceURL: String?
    package let logLevel: LogLevel
    package let logFormat: LogFormat
    /// The file for usage records; nil: no file is written.
    package let usageFile: UsageFileSettings?
    /// The database of usage records; nil: there is none.
    package let usageDatabase: UsageDatabaseSettings?
    /// The folder for data that survives a restart; nil: there is none.
    package let dataFolder: String?
    package let balance: BalanceSettings
    /// The settings of the response cache; nil: nothing is cached.
    package let cache: CacheSettings?
    /// The providers in the order of `PROVIDERS`, then by name; never empty.
    package let providers: [ProviderSettings]
    /// The panels, sorted by NAME.
    package let panels: [Panel]
}

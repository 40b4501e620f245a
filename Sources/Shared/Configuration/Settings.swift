package import Engine
import Limits

/// The clients that may trigger a reload of the settings over HTTP.
package enum ReloadAccess: String, CaseIterable, Sendable {
    /// Operators who are logged in to the admin pages.
    case admin
    /// Clients on this machine that call the relay without a proxy.
    case local
    /// Any client. The rate of reloads is limited.
    case open
    case off
}

/// All settings of the relay after checking. `Settings.read` creates them.
package struct Settings: Sendable, Equatable {
    /// The IP address on which the relay listens.
    package let host: String
    package let port: Int
    /// The number of event loops; 0 for one loop per core.
    package let threads: Int
    /// The base URL of the relay for clients, without a slash at its end; nil if not set.
    package let publicURL: String?
    /// Whether the relay has the page `/usage`, on which callers see their own usage.
    package let hasUsagePage: Bool
    /// The form in which usage records name end users.
    package let recordedUsers: RecordedUsers
    /// The sentence at the end of the error for a used-up budget; nil if there is none.
    package let budgetContact: String?
    /// The URL to which alerts about budgets are posted, which is secret; nil if they are only logged.
    package let budgetAlertURL: String?
    /// The percentages of budgets that are logged and posted when they are used, in ascending order.
    package let budgetMarks: [Int]
    /// The URL to which requests for unknown paths are redirected; nil to send a 404 response.
    package let notFoundURL: String?
    /// The web origins that may call the relay: `["*"]`, or `scheme://host[:port]` in lower case.
    package let corsOrigins: [String]
    package let memory: MemorySettings
    package let maxBodyBytes: Int
    package let maxUploadBytes: Int
    /// The largest number of images in one chat.
    package let maxImages: Int
    package let shutdownSeconds: Double
    /// The digest of the token that `/metrics` requires; nil if `/metrics` needs no token.
    package let metricsToken: Digest?
    /// The URL of the proxy for upstream calls; nil if there is none. It must not be logged.
    package let upstreamProxy: String?
    /// The path of a PEM file with additional trusted certificates; nil if there is none.
    package let certificateFile: String?
    /// The name of the time zone in which days begin.
    package let timeZone: String
    /// The known callers, sorted by the NAME in their settings `KEY_<NAME>_TOKEN`.
    package let keys: [KeySettings]
    package let anonymousModels: [ModelPattern]
    package let limits: LimitSettings
    package let fetch: FetchSettings
    /// The secret with which file ids are encrypted; nil to encrypt them with each caller's own key.
    package let fileSecret: String?
    /// The models of 1min.ai that model lists show first, by the vendor's names.
    package let permittedModels: [String]
    static let subsetOfOneMin = ["gpt-4o-mini", "gpt-4o", "o3-mini"]
    /// The replacements for retired models: a new model name for each old one.
    package let replacements: [String: String]
    /// Whether the relay refuses models of 1min.ai that the settings do not list (`permittedModels`).
    package let isSubsetOnly: Bool
    /// The model for requests that name no model; nil if it is not set.
    package let defaultModel: String?
    /// The model for requests whose model no provider serves; nil if it is not set.
    package let fallbackModel: String?
    /// The model for `/generate` requests that name no model; nil for a provider's own model.
    package let generateModel: String?
    /// Whether links to YouTube videos in prompts for 1min.ai stay unchanged.
    package let keepsLinks: Bool
    /// The time between two reads of 1min.ai's model list; zero if the list is never read.
    package let modelsRefresh: Duration
    package let remoteLocation: RemoteLocation
    /// The clients that may trigger a reload of the settings.
    package let reloadAccess: ReloadAccess
    /// The settings of the admin pages; nil if the relay has no admin pages.
    package let admin: AdminSettings?
    /// The URL of an OpenTelemetry collector for traces; nil if it is not set.
    package let traceURL: String?
    package let logLevel: LogLevel
    package let logFormat: LogFormat
    /// The settings of the file for usage records; nil if no such file is written.
    package let usageFile: UsageFileSettings?
    /// The settings of the database for usage records; nil if records are not kept in a database.
    package let usageDatabase: UsageDatabaseSettings?
    /// The folder for data that survives a restart (`DATA_DIR`); nil if it is not set.
    package let dataFolder: String?
    package let balance: BalanceSettings
    /// The settings of the response cache; nil if responses are not cached.
    package let cache: CacheSettings?
    /// The enabled providers: first those in `PROVIDERS`, in its order, then the others by name. The list is never
    /// empty.
    package let providers: [ProviderSettings]
    /// The panels, sorted by the NAME in their settings (`PANEL_<NAME>_MODELS` and others).
    package let panels: [Panel]
}

import Engine
import Limits
import Routes
import Shared
import Upstream
import UsageRecords

/// The parts of the process that survive a reload of the settings.
struct ProcessServices: Sendable {
    let log: Log
    let budget: MemoryBudget
    let worker: WorkQueue
    let limiter: Limiter
    let usage: UsageRecorder
    /// The state that all instances share through memcached; nil if memcached is not configured.
    let shared: SharedState?
    let admin: AdminState
    let notices: ProviderNotices
}

/// A builder of the setup of each event loop, for one version of the settings. A setup consists of the objects that one
/// loop needs to serve requests.
struct SetupBuilder {
    let settings: Settings
    let budget: MemoryBudget
    let modelCatalog: ModelCatalog
    private let rings: [KeyRing?]
    private let shared: Vendors.SharedServices
    private let balance: Balance
    private let capacities: [Capacity?]
    /// The limits of calls of all providers that had some since the start, by the names of the providers.
    private let capacityLimits: [String: CapacityLimits]

    /// - Parameter old: the builder of the previous settings, whose key rings and other state are kept; nil at startup.
    init(
        _ settings: Settings,
        _ lasting: ProcessServices,
        _ known: LiveModels.ModelLists = LiveModels.ModelLists(),
        after old: SetupBuilder? = nil
    ) {
        budget = lasting.budget
        shared = Vendors.SharedServices(settings, lasting, after: old?.shared)
        self.settings = settings
        let balance = Self.balance(settings, lasting.notices, after: old)
        self.balance = balance
        let limited = settings.providers.filter { $0.capacity != CapacitySettings() }
        let limits = Dictionary(limited.map { ($0.name, CapacityLimits($0.capacity)) }) { first, _ in first }
            .merging(old?.capacityLimits ?? [:]) { _, present in present }
        capacityLimits = limits
        capacities = settings.providers.enumerated().map { index, provider in
            limits[provider.name].flatMap {
                Capacity(
                    provider,
                    at: index,
                    settings.balance,
                    limits: $0,
                    limiter: lasting.limiter,
                    queue: balance.queue
                )
            }
        }
        modelCatalog = ModelCatalog(settings, known.catalogues, lists: known.lists)
        let cooldowns = CooldownRingCount()
        rings = settings.providers.map { Self.ring(of: $0, lasting.notices, after: old, telling: cooldowns) }
        for ring in rings { ring?.cooldownRingCount.areAwaited = settings.balance.isPatient }
    }

    private static func balance(_ settings: Settings, _ notices: ProviderNotices, after old: SetupBuilder?) -> Balance {
        let named = (providers: settings.providers.map(\.name), all: notices)
        guard let old else { return Balance(settings.balance, notices: named) }
        if old.settings == settings {
            old.balance.forgetTurns()
            return old.balance
        }
        // The queue refers to providers by their indexes.
        let isQueueKept = old.settings.providers.map(\.name) == settings.providers.map(\.name)
        notices.forgetBreakers()
        return Balance(settings.balance, isQueueKept ? old.balance.queue : CapacityQueue(), notices: named)
    }

    /// Returns a provider's key ring (its keys with their cooldowns); nil if the provider has no keys.
    private static func ring(
        of provider: ProviderSettings,
        _ notices: ProviderNotices,
        after old: SetupBuilder?,
        telling cooldowns: CooldownRingCount
    ) -> KeyRing? {
        guard !provider.apiKeys.isEmpty else { return nil }
        let index = old?.settings.providers.firstIndex { $0.isSameAccount(as: provider) }
        let named = (provider: provider.name, setting: provider.keySetting, all: notices)
        guard let old, let index, let ring = old.rings[index] else {
            notices.forgetKeys(of: provider.name)
            return KeyRing(provider.apiKeys, weights: provider.keyWeights, telling: cooldowns, notices: named)
        }
        let last = old.settings.providers[index]
        if last.apiKeys == provider.apiKeys, last.keyWeights == provider.keyWeights { return ring }
        notices.forgetKeys(of: provider.name)
        return KeyRing(provider.apiKeys, weights: provider.keyWeights, telling: cooldowns, after: ring, notices: named)
    }

    var unsupported: UnsupportedModels { shared.unsupported }

    /// Makes the limits of providers' calls those of these settings, for all calls that wait or begin.
    func useCapacities() {
        for provider in settings.providers { capacityLimits[provider.name]?.use(provider.capacity) }
    }

    /// Makes the metrics report the providers of these settings.
    func show(in figures: ProviderMetrics) {
        figures.use(settings.providers, rings, balance: balance, quirks: shared.quirks)
    }

    /// The values that labels in the metrics can have, such as the names of models.
    var labels: MetricLabels {
        let aliases = settings.providers.flatMap { $0.models.map(\.alias) }
        let own = settings.panels.map(\.name) + aliases + settings.permittedModels
        return MetricLabels(
            routes: Router.labels,
            models: own + modelCatalog.names + settings.replacements.keys.sorted(),
            providers: settings.providers.map(\.name),
            callers: settings.keys.map(\.name),
            kinds: Dictionary(settings.providers.map { ($0.name, $0.kind.conventionalName) }) { first, _ in first }
        )
    }

    /// Creates the setup of one event loop. Call this method on that loop, or before the loop runs.
    func setup(of own: LoopServices) throws(Listener.Failure) -> Setup {
        let vendors = try Vendors(settings, rings, capacities: capacities, shared: shared, own: own)
        return Setup(
            settings,
            Registry(vendors.entries, modelCatalog, balance: balance, on: own.loop),
            quirks: shared.quirks,
            keyCheckers: vendors.checkers,
            fetcher: fetcher(own.outside)
        )
    }

    /// Creates the downloader for URLs in requests; nil if the settings switch downloads off.
    private func fetcher(_ outside: CurlClient) -> Fetcher? {
        guard !settings.fetch.schemes.isEmpty else { return nil }
        let conditions = Fetcher.FetchConditions(
            schemes: settings.fetch.schemes,
            agent: Product.name,
            certificateFile: settings.certificateFile
        )
        return Fetcher(conditions, outside)
    }

    /// Applies the setup to the loop's new requests. Call this method on the loop, or before the loop runs.
    func use(_ setup: Setup, _ own: LoopServices, router: Router) {
        own.outside.rule = AddressRule(adding: settings.fetch.networks)
        router.use(setup)
    }
}

extension ProviderSettings {
    /// Whether a key that a provider refused with the other settings may be refused with these as well.
    fileprivate func isSameAccount(as other: ProviderSettings) -> Bool {
        name == other.name && baseURL == other.baseURL && headers == other.headers && cloud == other.cloud
    }
}

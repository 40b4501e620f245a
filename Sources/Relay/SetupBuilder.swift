import Calls
import Engine
import Limits
import Routes
import Shared
import Upstream

/// The parts of the process that survive a reload of the settings.
struct ProcessServices: Sendable {
    let log: Log
    let budget: MemoryBudget
    let worker: WorkQueue
    let limiter: Limiter
    let usage: UsageRecorder
    /// The state that all instances share; nil: there is no shared store.
    let shared: SharedState?
    let admin: AdminState
    let notices: ProviderNotices
}

/// The values from which the setups of all loops are made.
struct SetupBuilder {
    let settings: Settings
    let budget: MemoryBudget
    let modelCatalog: ModelCatalog
    private let rings: [KeyRing?]
    private let shared: Vendors.SharedServices
    private let balance: Balance
    private let capacities: [Capacity?]

    /// - Parameters:
    ///   - known: the vendors' model lists that were read so far.
    ///   - old: the parts of the previous settings, which these replace; nil at startup.
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
        capacities = settings.providers.enumerated().map {
            Capacity($1, at: $0, settings.balance, limiter: lasting.limiter, queue: balance.queue)
        }
        modelCatalog = ModelCatalog(settings, known.catalogues, lists: known.lists)
        let cooldowns = CooldownRingCount()
        rings = settings.providers.map { Self.ring(of: $0, lasting.notices, after: old, telling: cooldowns) }
    }

    /// Creates the state of balancing. Turns start again; circuit breakers start again only if any setting has changed.
    /// Requests that wait for capacity keep their order before new ones, unless the names of the providers have
    /// changed.
    private static func balance(
        _ settings: Settings,
        _ notices: ProviderNotices,
        after old: SetupBuilder?
    ) -> Balance {
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

    /// Makes a provider's key ring. Keys in cooldown stay in cooldown. Returns nil if the provider has no keys.
    private static func ring(
        of provider: ProviderSettings,
        _ notices: ProviderNotices,
        after old: SetupBuilder?,
        telling cooldowns: CooldownRingCount
    ) -> KeyRing? {
        guard !provider.apiKeys.isEmpty else { return nil }
        let position = old?.settings.providers.firstIndex {
            $0.name == provider.name && $0.baseURL == provider.baseURL
        }
        let named = (provider: provider.name, all: notices)
        guard let old, let position, let ring = old.rings[position] else {
            notices.forgetKeys(of: provider.name)
            return KeyRing(provider.apiKeys, weights: provider.keyWeights, telling: cooldowns, notices: named)
        }
        let last = old.settings.providers[position]
        if last.apiKeys == provider.apiKeys, last.keyWeights == provider.keyWeights { return ring }
        notices.forgetKeys(of: provider.name)
        return KeyRing(provider.apiKeys, weights: provider.keyWeights, telling: cooldowns, after: ring, notices: named)
    }

    /// The models that a vendor rejected as unsupported.
    var unsupported: UnsupportedModels { shared.unsupported }

    /// Replaces the providers in the metrics.
    func show(in figures: ProviderMetrics) { figures.use(settings.providers, rings, balance: balance) }

    /// The names for metrics. The number of names is limited, so the operator's own names come first.
    var labels: MetricLabels {
        let aliases = settings.providers.flatMap { $0.models.map(\.alias) }
        let own = settings.panels.map(\.name) + aliases + settings.permittedModels
        return MetricLabels(
            routes: Router.labels,
            models: own + modelCatalog.names,
            providers: settings.providers.map(\.name),
            callers: settings.keys.map(\.name),
            kinds: Dictionary(settings.providers.map { ($0.name, $0.kind.conventionalName) }) { first, _ in first }
        )
    }

    /// Creates the setup of a loop. Call it on the loop, or before the loop runs.
    func setup(of own: LoopServices) throws(Listener.Failure) -> Setup {
        let vendors = try Vendors(settings, rings, capacities: capacities, shared: shared, own: own)
        return Setup(
            settings,
            Registry(vendors.entries, modelCatalog, balance: balance, on: own.loop),
            keyCheckers: vendors.checkers,
            fetcher: fetcher(own.outside)
        )
    }

    /// Creates the downloader of images; nil if image downloads are off.
    private func fetcher(_ outside: CurlClient) -> Fetcher? {
        guard !settings.fetch.schemes.isEmpty else { return nil }
        let conditions = Fetcher.FetchConditions(
            schemes: settings.fetch.schemes,
            agent: Product.name,
            certificateFile: settings.certificateFile
        )
        return Fetcher(conditions, outside)
    }

    /// Applies the setup, which new requests use from now on. Call it on the loop, or before the loop runs.
    func use(_ setup: Setup, _ own: LoopServices, router: Router) {
        own.outside.rule = AddressRule(adding: settings.fetch.networks)
        router.use(setup)
    }
}

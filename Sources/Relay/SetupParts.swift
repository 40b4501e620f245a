import Calls
import Engine
import Limits
import Routes
import Shared
import Upstream

/// The parts of the process that stay when other settings come into use.
struct LastingParts: Sendable {
    let log: Log
    let budget: MemoryBudget
    let worker: WorkQueue
    let limiter: Limiter
    let usage: UsageBook
    /// The state that all instances share; nil: no other instance could read it.
    let shared: SharedState?
    let admin: AdminState
}

/// The values that the setups of all loops are made from.
struct SetupParts {
    let settings: Settings
    let budget: MemoryBudget
    let offers: Offers
    private let rings: [KeyRing?]
    private let shared: Vendors.SharedParts
    private let balance: Balance
    private let capacities: [Capacity?]

    /// - Parameters:
    ///   - known: the vendors' lists of models, as far as they have been read.
    ///   - old: those of other settings, which are replaced by these.
    init(
        _ settings: Settings,
        _ lasting: LastingParts,
        _ known: LiveModels.Known = LiveModels.Known(),
        after old: SetupParts? = nil
    ) {
        budget = lasting.budget
        shared = Vendors.SharedParts(settings, lasting, after: old?.shared)
        self.settings = settings
        let balance = Self.balance(settings, after: old)
        self.balance = balance
        capacities = settings.providers.enumerated().map {
            Capacity($1, at: $0, settings.balance, lasting.limiter, balance.queue)
        }
        offers = Offers(settings, known.catalogues, lists: known.lists)
        let rests = RestCount()
        rings = settings.providers.map { Self.ring(of: $0, after: old, telling: rests) }
    }

    /// Turns begin anew, breakers if any setting has changed. Calls that wait keep their places before new ones.
    private static func balance(_ settings: Settings, after old: SetupParts?) -> Balance {
        guard let old else { return Balance(settings.balance) }
        if old.settings == settings {
            old.balance.forgetTurns()
            return old.balance
        }
        // The queue knows providers by their places.
        let isQueueKept = old.settings.providers.map(\.name) == settings.providers.map(\.name)
        return Balance(settings.balance, isQueueKept ? old.balance.queue : CapacityQueue())
    }

    /// Keys that rest do so on. Nil: the provider has no key.
    private static func ring(
        of provider: ProviderSettings,
        after old: SetupParts?,
        telling rests: RestCount
    ) -> KeyRing? {
        guard !provider.apiKeys.isEmpty else { return nil }
        let place = old?.settings.providers.firstIndex {
            $0.name == provider.name && $0.baseURL == provider.baseURL
        }
        guard let old, let place, let ring = old.rings[place] else {
            return KeyRing(provider.apiKeys, weights: provider.keyWeights, telling: rests)
        }
        let last = old.settings.providers[place]
        if last.apiKeys == provider.apiKeys, last.keyWeights == provider.keyWeights { return ring }
        return KeyRing(provider.apiKeys, weights: provider.keyWeights, telling: rests, after: ring)
    }

    /// Models that a vendor has refused as not supported.
    var unsupported: UnsupportedModels { shared.unsupported }

    /// Puts the providers into the metrics.
    func show(in figures: ProviderFigures) { figures.use(settings.providers, rings, balance.queue) }

    /// The names in counts. The operator's own names go first: there is not room for any number.
    var labels: MetricLabels {
        let aliases = settings.providers.flatMap { $0.models.map(\.alias) }
        let own = settings.panels.map(\.name) + aliases + settings.permittedModels
        return MetricLabels(
            routes: Router.labels,
            models: own + offers.names,
            providers: settings.providers.map(\.name),
            callers: settings.keys.map(\.name),
            kinds: Dictionary(settings.providers.map { ($0.name, $0.kind.conventionalName) }) { first, _ in first }
        )
    }

    /// On the loop, or before it runs.
    func setup(of own: LoopParts) throws(Listener.Failure) -> Setup {
        let vendors = try Vendors(settings, rings, capacities, shared, own)
        return Setup(
            settings,
            Registry(vendors.entries, offers, balance, on: own.loop),
            keyCheckers: vendors.checkers,
            fetcher: fetcher(own.outside)
        )
    }

    /// Nil: no picture is fetched.
    private func fetcher(_ outside: CurlClient) -> Fetcher? {
        guard !settings.fetch.schemes.isEmpty else { return nil }
        let terms = Fetcher.Terms(
            schemes: settings.fetch.schemes,
            agent: Product.name,
            certificateFile: settings.certificateFile
        )
        return Fetcher(terms, outside)
    }

    /// Puts the setup into use, with which requests run from now on. On the loop, or before it runs.
    func use(_ setup: Setup, _ own: LoopParts, _ router: Router) {
        own.outside.rule = AddressRule(adding: settings.fetch.networks)
        router.use(setup)
    }
}

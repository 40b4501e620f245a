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
    let worker: Worker
    let limiter: Limiter
    let usage: UsageBook
    /// The state that all instances share; nil: no other instance could read it.
    let shared: SharedState?
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
        let balance = Balance(settings.balance)
        self.balance = balance
        capacities = settings.providers.enumerated().map {
            Capacity($1, at: $0, settings.balance, lasting.limiter, balance.queue)
        }
        offers = Offers(settings, known.catalogues, lists: known.lists)
        let rests = RestCount()
        rings = settings.providers.map { provider in
            provider.apiKeys.isEmpty
                ? nil : KeyRing(provider.apiKeys, weights: provider.keyWeights, telling: rests)
        }
    }

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

import Calls
import Engine
import Limits
import Routes
import Shared
import Upstream

/// The values that the setups of all loops are made from.
struct SetupParts {
    let settings: Settings
    let budget: MemoryBudget
    let offers: Offers
    private let rings: [KeyRing?]
    private let shared: Vendors.SharedParts
    private let balance: Balance
    private let capacities: [Capacity?]

    init(_ settings: Settings, _ budget: MemoryBudget, _ worker: Worker, _ limiter: Limiter, _ log: Log) {
        shared = Vendors.SharedParts(settings, worker: worker, log)
        self.settings = settings
        self.budget = budget
        let balance = Balance(settings.balance)
        self.balance = balance
        capacities = settings.providers.enumerated().map {
            Capacity($1, at: $0, settings.balance, limiter, balance.queue)
        }
        offers = Offers(settings, Vendors.catalogues)
        rings = settings.providers.map { $0.apiKeys.isEmpty ? nil : KeyRing($0.apiKeys, weights: $0.keyWeights) }
    }

    /// In the metrics.
    var figures: ProviderFigures { ProviderFigures(settings.providers, rings, balance.queue) }

    func setup(of own: LoopParts) throws(Listener.Failure) -> Setup {
        let vendors = try Vendors(settings, rings, capacities, shared, own, budget)
        return Setup(
            settings,
            Registry(vendors.entries, offers, balance, on: own.loop),
            keyCheckers: vendors.checkers,
            fetcher: fetcher(on: own.loop)
        )
    }

    /// Nil: no picture is fetched.
    private func fetcher(on loop: EventLoop) -> Fetcher? {
        guard !settings.fetch.schemes.isEmpty else { return nil }
        return Fetcher(
            Fetcher.Terms(
                schemes: settings.fetch.schemes,
                agent: Product.name,
                certificateFile: settings.certificateFile
            ),
            rule: AddressRule(adding: settings.fetch.networks),
            loop: loop,
            budget: budget
        )
    }
}

import Calls
import Engine
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

    init(_ settings: Settings, _ budget: MemoryBudget, _ worker: Worker) {
        shared = Vendors.SharedParts(worker: worker)
        self.settings = settings
        self.budget = budget
        balance = Balance(settings.balance)
        offers = Offers(settings, Vendors.catalogues)
        rings = settings.providers.map { $0.apiKeys.isEmpty ? nil : KeyRing($0.apiKeys, weights: $0.keyWeights) }
    }

    /// In the metrics.
    var restingKeys: RestingKeys { RestingKeys(settings.providers, rings) }

    func setup(of own: LoopParts) throws(Listener.Failure) -> Setup {
        let vendors = try Vendors(settings, rings, shared, own, budget)
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

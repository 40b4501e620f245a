import Engine
import Routes
import Shared
import Synchronization
import Upstream

/// The vendors' lists of models, read on one loop, and what callers may name by them.
final class LiveModels: Sendable {
    /// The lists that have been read.
    struct Known: Sendable {
        fileprivate(set) var catalogues = Vendors.catalogues
        /// By the places of providers.
        fileprivate(set) var lists: [Int: [LiveModel]] = [:]
    }

    private let known: Lock<Known>
    private let settings: Settings
    private let loop: EventLoop
    private let refreshes: [ModelRefresh]
    private let changed: @Sendable (Offers) -> Void
    private let unsupported: UnsupportedModels
    private let calendar = Lock<Task<Void, Never>?>(nil)

    /// For lists where the settings do not say.
    private static let pause = Duration.seconds(3_600)
    private static let lookNanoseconds: UInt64 = 5_000_000_000

    /// - Parameters:
    ///   - unsupported: a model that it learns of has the lists read early.
    ///   - changed: told what is offered from now on, on the loop.
    init(
        _ settings: Settings,
        _ known: Known = Known(),
        _ unsupported: UnsupportedModels,
        _ log: Log,
        on own: LoopParts,
        changed: @escaping @Sendable (Offers) -> Void
    ) {
        self.settings = settings
        self.known = Lock(known)
        self.changed = changed
        self.unsupported = unsupported
        loop = own.loop
        let (loop, known, client, providers) = (own.loop, self.known, own.client, settings.providers)
        refreshes = providers.indices.compactMap { place in
            let provider = providers[place]
            // A catalogue is that of all providers of its kind.
            let hasCatalogue =
                settings.modelsRefresh > .zero && Vendors.catalogues[provider.kind] != nil
                && place == providers.firstIndex { $0.kind == provider.kind }
            guard provider.servesList || hasCatalogue, let list = Vendors.list(provider, settings, client) else {
                return nil
            }
            let pause = settings.modelsRefresh > .zero ? settings.modelsRefresh : Self.pause
            return ModelRefresh(list, of: provider.name, every: pause, loop, log) { models in
                let (new, offers) = known.withLock { known in
                    let new = known.take(models, of: provider, at: place)
                    return (new, Offers(settings, known.catalogues, lists: known.lists))
                }
                changed(offers)
                return new
            }
        }
    }

    func start() {
        unsupported.whenLearned { [refreshes, loop] in
            for refresh in refreshes { loop.call { refresh.readEarly() } }
        }
        for refresh in refreshes { loop.call { refresh.start() } }
        calendar.withLock { $0 = Task(executorPreference: loop) { await self.followCalendar() } }
    }

    /// Models end with a day. The clock may be set, and machines sleep, so it is looked at again and again.
    private func followCalendar() async {
        var today = Day.today
        while !Task.isCancelled {
            await loop.sleep(nanoseconds: Self.lookNanoseconds)
            guard Day.today != today, !Task.isCancelled else { continue }
            today = .today
            changed(known.withLock { Offers(settings, $0.catalogues, lists: $0.lists) })
        }
    }

    /// The lists that would be read from the same vendors under other settings.
    func known(under other: Settings) -> Known {
        let known = known.withLock { $0 }
        var next = Known()
        next.catalogues = known.catalogues
        for (place, provider) in other.providers.enumerated() {
            next.lists[place] = known.lists.first { settings.providers[$0.key].isListed(as: provider) }?.value
        }
        return next
    }

    func stop() {
        for refresh in refreshes { loop.call { refresh.stop() } }
        calendar.withLock { $0?.cancel() }
    }
}

extension LiveModels.Known {
    /// Returns how many of the models were not known.
    mutating func take(_ models: [LiveModel], of provider: ProviderSettings, at place: Int) -> Int {
        if provider.servesList {
            let before = Set(lists[place]?.map(\.id) ?? [])
            lists[place] = models
            return models.count { !before.contains($0.id) }
        }
        guard let shipped = Vendors.catalogues[provider.kind] else { return 0 }
        let catalogue = shipped.merged(with: models)
        catalogues[provider.kind] = catalogue
        return catalogue.models.count { shipped.model($0.id) == nil }
    }
}

extension ProviderSettings {
    /// Its vendor has the same list for the other one: one key that both have is enough.
    fileprivate func isListed(as other: ProviderSettings) -> Bool {
        kind == other.kind && baseURL == other.baseURL && headers == other.headers && cloud == other.cloud
            && (apiKeys == other.apiKeys || !Set(apiKeys).isDisjoint(with: other.apiKeys))
    }
}

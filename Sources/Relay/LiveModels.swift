import Engine
import Routes
import Shared
import Synchronization
import Upstream

/// A reader that regularly reads the vendors' model lists on one event loop. It passes on a new `ModelCatalog` after
/// each change.
final class LiveModels: Sendable {
    /// The vendors' model lists, as last read.
    struct ModelLists: Sendable {
        fileprivate(set) var catalogues = Vendors.catalogues
        /// The model lists by the index of their provider in the settings.
        fileprivate(set) var lists: [Int: [LiveModel]] = [:]
    }

    private let known: Lock<ModelLists>
    private let settings: Settings
    private let loop: EventLoop
    private let refreshes: [ModelListRefresher]
    private let changed: @Sendable (ModelCatalog) -> Void
    private let unsupported: UnsupportedModels
    private let calendar = Lock<Task<Void, Never>?>(nil)

    /// The time between two reads of a model list if `ONE_MIN_MODELS_REFRESH` is 0.
    private static let pause = Duration.seconds(3_600)
    private static let lookNanoseconds: UInt64 = 5_000_000_000

    /// Creates the reader of the model lists; `start()` begins to read.
    /// - Parameters:
    ///   - known: the model lists of the previous settings that are still valid; empty at startup.
    ///   - changed: called on the loop with the updated model catalog.
    init(
        _ settings: Settings,
        _ known: ModelLists = ModelLists(),
        unsupported: UnsupportedModels,
        log: Log,
        on own: LoopServices,
        changed: @escaping @Sendable (ModelCatalog) -> Void
    ) {
        self.settings = settings
        self.known = Lock(known)
        self.changed = changed
        self.unsupported = unsupported
        loop = own.loop
        let (loop, known, client, providers) = (own.loop, self.known, own.client, settings.providers)
        let limitsCost = LimitBook(settings).countsCost
        refreshes = providers.indices.compactMap { index in
            let provider = providers[index]
            // A catalogue is shared by all providers of its kind.
            let hasCatalogue =
                settings.modelsRefresh > .zero && Vendors.catalogues[provider.kind] != nil
                && index == providers.firstIndex { $0.kind == provider.kind }
            guard provider.readsList || hasCatalogue, let list = Vendors.list(provider, settings, transport: client)
            else {
                return nil
            }
            let pause = settings.modelsRefresh > .zero ? settings.modelsRefresh : Self.pause
            let unwarned = Lock(limitsCost ? provider : nil)
            return ModelListRefresher(list, of: provider.name, every: pause, loop, log: log) { models in
                unwarned.withLock { $0.take() }?.warnOfUnpriced(models, log)
                let (new, modelCatalog) = known.withLock { known in
                    let new = known.store(models, of: provider, at: index)
                    return (new, ModelCatalog(settings, known.catalogues, lists: known.lists))
                }
                changed(modelCatalog)
                return new
            }
        }
    }

    func start() {
        unsupported.setRefusalHandler { [refreshes, loop] in
            for refresh in refreshes { loop.call { refresh.readEarly() } }
        }
        for refresh in refreshes { loop.call { refresh.start() } }
        calendar.withLock { $0 = Task(executorPreference: loop) { await self.followCalendar() } }
    }

    /// Updates the model catalog when a new day begins.
    private func followCalendar() async {
        var today = Day.today
        while !Task.isCancelled {
            await loop.sleep(nanoseconds: Self.lookNanoseconds)
            guard Day.today != today, !Task.isCancelled else { continue }
            today = .today
            changed(known.withLock { ModelCatalog(settings, $0.catalogues, lists: $0.lists) })
        }
    }

    /// Returns the model lists that are still valid under the settings `other`.
    func known(under other: Settings) -> ModelLists {
        let known = known.withLock { $0 }
        var next = ModelLists()
        next.catalogues = known.catalogues
        for (index, provider) in other.providers.enumerated() {
            next.lists[index] = known.lists.first { settings.providers[$0.key].isListed(as: provider) }?.value
        }
        return next
    }

    func stop() {
        for refresh in refreshes { loop.call { refresh.stop() } }
        calendar.withLock { $0?.cancel() }
    }
}

extension LiveModels.ModelLists {
    /// Stores the model list of a provider that serves its list. For other providers, updates the vendor's built-in
    /// catalogue with the list. Returns the number of new models.
    mutating func store(_ models: [LiveModel], of provider: ProviderSettings, at index: Int) -> Int {
        if provider.readsList {
            let before = Set(lists[index]?.map(\.id) ?? [])
            lists[index] = models
            return models.count { !before.contains($0.id) }
        }
        guard let shipped = Vendors.catalogues[provider.kind] else { return 0 }
        let catalogue = shipped.merged(with: models)
        catalogues[provider.kind] = catalogue
        return catalogue.models.count { shipped.model($0.id) == nil }
    }
}

extension ProviderSettings {
    /// Logs that limits in dollars do not count the models whose prices the vendor's list lacks.
    fileprivate func warnOfUnpriced(_ list: [LiveModel], _ log: Log) {
        let names = namesWithoutPrice(in: Dictionary(list.map { ($0.id, $0.facts.price) }) { first, _ in first })
        guard let name = names.min() else { return }
        log.warning("the vendor's list has no price of some models, so limits in usd do not count them") { line in
            line.add("provider", self.name)
            line.add("model", name)
            line.add("count", names.count)
            line.add("remedy", "set PROVIDER_\(self.name.asInstance)_COSTS=\(name)=0.001/0.004, or \(name)=free")
        }
    }

    /// Returns whether the vendor returns the same model list to this provider and `other`.
    fileprivate func isListed(as other: ProviderSettings) -> Bool {
        kind == other.kind && baseURL == other.baseURL && headers == other.headers && cloud == other.cloud
            && (apiKeys == other.apiKeys || !Set(apiKeys).isDisjoint(with: other.apiKeys))
    }
}

import Calls
import Engine
import Shared
import Synchronization
import Upstream

/// The vendors' model lists, read once for a command.
struct VendorLists {
    /// The lists by the index of the provider. If a vendor has a catalogue, its list counts for all providers of its
    /// kind.
    private let lists: [Int: [LiveModel]]
    /// The providers whose lists were not read, with the reason.
    let failures: [String]
    private let settings: Settings
    /// The client that read the lists. Its connections may outlive the readings.
    private let client: CurlClient
    private let loop: EventLoop

    private static let seconds = 30

    /// Reads all lists at the same time. Blocks for at most 30 s.
    init(_ settings: Settings) {
        CurlClient.prepareProcess()
        let loop = EventLoop()
        let client = CurlClient(loop: loop)
        let reading = Reading()
        let places = settings.providers.indices.filter { place in
            let provider = settings.providers[place]
            let isFirst = place == settings.providers.firstIndex { $0.kind == provider.kind }
            return provider.servesList || isFirst && Vendors.catalogues[provider.kind] != nil
        }
        let thread = LoopThread(loop)
        reading.begin(places.count)
        for place in places {
            let provider = settings.providers[place]
            guard let list = Vendors.list(provider, settings, client) else {
                reading.end(place, .failure(UpstreamError(.failed, cause: "the provider has no model list")))
                continue
            }
            Task(executorPreference: loop) {
                do throws(UpstreamError) {
                    reading.end(place, .success(try await list.models()))
                } catch {
                    reading.end(place, .failure(error))
                }
            }
        }
        let results = reading.results(withinSeconds: Self.seconds)
        loop.stop()
        thread.join()
        (self.settings, self.client, self.loop) = (settings, client, loop)
        lists = results.compactMapValues { try? $0.get() }
        failures = places.compactMap { place in
            let name = settings.providers[place].name
            switch results[place] {
            case .success: return nil
            case .failure(let error): return "cannot read the model list of \(name): \(error.cause)"
            case nil: return "cannot read the model list of \(name) within \(Self.seconds) s"
            }
        }
    }

    /// The lists as the running relay would know them after such a reading.
    var known: LiveModels.Known {
        var known = LiveModels.Known()
        for (place, models) in lists { _ = known.take(models, of: settings.providers[place], at: place) }
        return known
    }

    /// Returns the list with the models of a provider; nil if it was not read.
    func models(at place: Int) -> [LiveModel]? {
        let kind = settings.providers[place].kind
        if let own = lists[place] { return own }
        guard Vendors.catalogues[kind] != nil else { return nil }
        return settings.providers.firstIndex { $0.kind == kind }.flatMap { lists[$0] }
    }
}

/// The results of readings that run on an event loop.
private final class Reading: Sendable {
    private let all = Lock<[Int: Result<[LiveModel], UpstreamError>]>([:])
    private let left = Atomic<Int>(0)
    private let signal = Signal()

    func begin(_ count: Int) { left.store(count, ordering: .relaxed) }

    func end(_ place: Int, _ result: Result<[LiveModel], UpstreamError>) {
        all.withLock { $0[place] = result }
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { signal.wake() }
    }

    func results(withinSeconds seconds: Int) -> [Int: Result<[LiveModel], UpstreamError>] {
        let end = LoopTime.current().adding(seconds: seconds)
        while left.load(ordering: .acquiring) > 0, LoopTime.current() < end { signal.wait(until: end) }
        return all.withLock { $0 }
    }
}

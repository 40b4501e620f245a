import Engine
import Shared
import Synchronization
import Upstream

/// The vendors' model lists, read once for a command such as `models --live`.
struct VendorLists {
    /// The model lists that were read, by the index of their provider in the settings.
    private let lists: [Int: [LiveModel]]
    /// An error message for each provider whose model list could not be read.
    let failures: [String]
    private let settings: Settings

    private static let seconds = 30

    /// Reads the model lists of all providers at the same time. Blocks for at most 30 s.
    init(_ settings: Settings) {
        let (client, loop) = CurlClient.ofCommand()
        let reading = ListReading()
        let indices = settings.providers.indices.filter { index in
            let provider = settings.providers[index]
            let isFirst = index == settings.providers.firstIndex { $0.kind == provider.kind }
            return provider.readsList || isFirst && Vendors.catalogues[provider.kind] != nil
        }
        let thread = LoopThread(loop)
        reading.begin(indices.count)
        for index in indices {
            let provider = settings.providers[index]
            guard let list = Vendors.list(provider, settings, transport: client) else {
                reading.end(index, .failure(UpstreamError(.failed, cause: "the provider has no model list")))
                continue
            }
            Task(executorPreference: loop) {
                do throws(UpstreamError) {
                    reading.end(index, .success(try await list.models()))
                } catch {
                    reading.end(index, .failure(error))
                }
            }
        }
        let results = reading.results(withinSeconds: Self.seconds)
        loop.stop()
        thread.join()
        self.settings = settings
        lists = results.compactMapValues { try? $0.get() }
        failures = indices.compactMap { index in
            let name = settings.providers[index].name
            switch results[index] {
            case .success: return nil
            case .failure(let error): return "cannot read the model list of \(name): \(error.cause)"
            case nil: return "cannot read the model list of \(name) within \(Self.seconds) s"
            }
        }
    }

    /// The model lists that were read, in the form in which a running relay keeps them.
    var known: LiveModels.ModelLists {
        var known = LiveModels.ModelLists()
        for (index, models) in lists { _ = known.store(models, of: settings.providers[index], at: index) }
        return known
    }

    /// Returns the vendor's model list for the provider at this index of the settings; nil if the list was not read.
    func models(at index: Int) -> [LiveModel]? {
        let kind = settings.providers[index].kind
        if let own = lists[index] { return own }
        guard Vendors.catalogues[kind] != nil else { return nil }
        return settings.providers.firstIndex { $0.kind == kind }.flatMap { lists[$0] }
    }
}

/// The model lists read so far. An event loop stores them while another thread waits for them.
private final class ListReading: Sendable {
    private let all = Lock<[Int: Result<[LiveModel], UpstreamError>]>([:])
    private let left = Atomic<Int>(0)
    private let signal = Signal()

    func begin(_ count: Int) { left.store(count, ordering: .relaxed) }

    func end(_ index: Int, _ result: Result<[LiveModel], UpstreamError>) {
        all.withLock { $0[index] = result }
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { signal.wake() }
    }

    func results(withinSeconds seconds: Int) -> [Int: Result<[LiveModel], UpstreamError>] {
        let end = LoopTime.current().adding(seconds: seconds)
        while left.load(ordering: .acquiring) > 0, LoopTime.current() < end { signal.wait(until: end) }
        return all.withLock { $0 }
    }
}

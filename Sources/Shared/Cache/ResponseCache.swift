package import Engine
package import Limits
import Synchronization

/// The response cache of the process: in memory, in files or in the shared store.
package final class ResponseCache: Sendable {
    package let memory: MemoryCache
    /// The memory budget for the bodies that the operator may read on the admin pages.
    package let bodies: BodyBudget
    /// The shared store; nil if memcached is not used.
    let shared: SharedState?
    /// The generation number of the cached responses in the shared store; nil if memcached is not used.
    let generation: CacheGeneration?
    private let directory = Lock<DiskCache?>(nil)
    package let coalescer = RequestCoalescer()
    let worker: WorkQueue
    private let log: Log
    let hits = Atomic(0)
    let misses = Atomic(0)
    let coalesced = Atomic(0)
    /// The number of bytes of the responses that wait to be written to a file or memcached.
    let leaving = Atomic(0)

    package init(_ budget: MemoryBudget, shared: SharedState?, worker: WorkQueue, _ log: Log) {
        memory = MemoryCache(budget)
        bodies = BodyBudget(budget)
        self.shared = shared
        generation = shared.map { CacheGeneration($0) }
        self.worker = worker
        self.log = log
    }

    /// The cache that stores responses as files; nil until settings use such a cache.
    var files: DiskCache? { directory.withLock { $0 } }

    /// Returns the cache that stores responses as files. Only the first call uses `path`.
    fileprivate func files(in path: String) -> DiskCache {
        directory.withLock { directory in
            let files = directory ?? DiskCache(in: "\(path)/cache", log)
            directory = files
            return files
        }
    }

    /// Removes all cached responses from memory.
    package func removeAll() { memory.removeAll() }

    /// Waits until all pending writes of files are done, and stops the thread that writes them.
    package func stop() { files?.stop() }

    /// The number of requests that were served from the cache since the start.
    package var hitCount: Int { hits.load(ordering: .relaxed) }

    /// Removes all cached responses from memory and from the cache directory. A separate thread deletes the files.
    package func clear() {
        memory.removeAll()
        files?.removeAll()
    }

    /// Makes all instances forget the responses in the shared store, within two seconds. Does nothing without a shared
    /// store.
    package func clearShared(on loop: EventLoop) async throws(StoreFailure) { try await generation?.renew(on: loop) }

    /// The number of cached responses in memory and in files, and their size in bytes.
    package var size: (entries: Int, bytes: Int) {
        let kept = memory.size
        guard let written = files?.size else { return kept }
        return (kept.entries + written.entries, kept.bytes + written.bytes)
    }
}

/// The response cache with the current settings, such as where and how long responses are stored.
package struct ConfiguredCache: Sendable {
    package let settings: CacheSettings
    package let responseCache: ResponseCache
    package let storeScope: StoreScope
    private let storage: Storage
    private let lifeNanoseconds: UInt64
    private let bounds: MemoryCache.Bounds

    private enum Storage {
        case memory
        case shared(SharedState, CacheGeneration)
        case files(DiskCache)
    }

    /// The largest response that is stored in memory or in a file, in bytes.
    private static let longestBytes = 8 * 1_048_576
    /// The largest response that is stored in memcached, in bytes. memcached limits an item to one megabyte.
    private static let longestSharedBytes = 1_000_000
    /// A limit of the bytes that wait to be written to files or memcached. While more bytes wait, responses are not
    /// cached.
    private static let leavingBytes = 16 * 1_048_576

    package init(_ settings: CacheSettings, _ responseCache: ResponseCache, _ storeScope: StoreScope) {
        self.settings = settings
        self.storeScope = storeScope
        self.responseCache = responseCache
        lifeNanoseconds = UInt64(clamping: settings.life.nanoseconds)
        bounds = MemoryCache.Bounds(entries: settings.maxEntries, bytes: settings.maxBytes)
        if settings.store == .memcached, let shared = responseCache.shared, let generation = responseCache.generation {
            storage = .shared(shared, generation)
        } else if settings.store == .data, let directory = settings.directory {
            storage = .files(responseCache.files(in: directory))
        } else {
            storage = .memory
        }
    }

    package var longestBytes: Int {
        if case .shared = storage { return Self.longestSharedBytes }
        return min(Self.longestBytes, settings.maxBytes / 4)
    }

    package func count(isHit: Bool) {
        if isHit {
            responseCache.hits.add(1, ordering: .relaxed)
        } else {
            responseCache.misses.add(1, ordering: .relaxed)
        }
    }

    /// Counts a request that was served with the response to an equal request.
    package func countCoalesced() { responseCache.coalesced.add(1, ordering: .relaxed) }

    /// Returns a cached response from the memory of this process; nil if there is none, or if the settings use files or
    /// memcached.
    package func responseInMemory(_ key: CacheKey, on loop: EventLoop) -> Body? {
        guard case .memory = storage else { return nil }
        return responseCache.memory.response(key.digest, at: loop.now)
    }

    /// Returns a valid cached response from memory, a file or memcached; nil if there is none or reading fails.
    package func response(_ key: CacheKey, on loop: EventLoop) async -> Body? {
        switch storage {
        case .memory: return responseInMemory(key, on: loop)
        case .files(let files): return await files.response(key, on: loop)
        case .shared(let shared, let generation):
            guard let generation = await generation.current(on: loop),
                let sealed = try? await shared.read(key.name(generation), on: loop)
            else { return nil }
            guard sealed.count > Self.loopBytes else { return key.open(sealed) }
            return await responseCache.worker.enqueuedResult(ofBytes: sealed.count, on: loop) { key.open(sealed) }
                ?? nil
        }
    }

    private static let loopBytes = 262_144

    /// Caches a response. Does not wait until the response is written.
    package func add(_ response: Body, _ key: CacheKey, label: MemoryCache.Label, on loop: EventLoop) {
        guard response.bytes.count <= longestBytes else { return }
        if case .memory = storage {
            let end = lifeNanoseconds == 0 ? .distantFuture : loop.now + lifeNanoseconds
            return responseCache.memory.add(response, key.digest, until: end, within: bounds, label: label)
        }
        guard responseCache.leaving.load(ordering: .relaxed) <= Self.leavingBytes else { return }
        let leaving = PendingCacheWrite(response, responseCache)
        // Stores count the lifetime in seconds.
        let seconds = lifeNanoseconds == 0 ? 0 : Int(clamping: (lifeNanoseconds + 999_999_999) / 1_000_000_000)
        switch storage {
        case .memory: break
        case .shared(let shared, let generation):
            guard let generation = generation.known else { return }
            shared.put(key.name(generation), expirySeconds: seconds) { key.seal(leaving.response) }
        case .files(let files):
            files.add(key, lastingSeconds: seconds, within: bounds) { key.seal(leaving.response) }
        }
    }
}

/// A response that waits to be written. While this object exists, the cache counts the response's bytes as waiting.
private final class PendingCacheWrite: Sendable {
    let response: Body
    private let responseCache: ResponseCache

    init(_ response: Body, _ responseCache: ResponseCache) {
        self.response = response
        self.responseCache = responseCache
        responseCache.leaving.add(response.bytes.count, ordering: .relaxed)
    }

    deinit { responseCache.leaving.subtract(response.bytes.count, ordering: .relaxed) }
}

extension ResponseCache: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.counter("relay_cache_hits_total", "Requests that were served from the cache.")
        text.sample(value: hits.load(ordering: .relaxed))
        text.counter("relay_cache_misses_total", "Requests whose response was not in the cache.")
        text.sample(value: misses.load(ordering: .relaxed))
        text.counter("relay_cache_coalesced_total", "Cache hits that waited for the response to an equal request.")
        text.sample(value: coalesced.load(ordering: .relaxed))
        let size = size
        text.gauge("relay_cache_entries", "Cache entries of this process, in memory or in its directory.", size.entries)
        text.gauge("relay_cache_bytes", "Size of the cache entries of this process.", size.bytes)
        text.gauge("relay_cache_waiting", "Requests that wait for the response to an equal request.", coalescer.waiting)
    }
}

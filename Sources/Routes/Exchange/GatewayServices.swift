package import Engine
package import Limits
package import Shared
import Upstream
package import UsageRecords

/// The services that all event loops of the process share.
package struct SharedServices: Sendable {
    package let log: Log
    let memory: MemoryBudget
    let limiter: Limiter
    let files: FileStore
    let responses: StoredResponses
    let cachedResponses: ResponseCache
    /// The queue of long jobs, which run on a thread of their own.
    let worker: WorkQueue
    /// The worker thread that parses large request bodies.
    let reader: Worker
    let assets: AssetCache
    /// The state that all instances of the relay share.
    let shared: SharedState
    let process: ProcessState
    let metrics: Metrics
    let usage: UsageRecorder

    package init(
        log: Log,
        memory: MemoryBudget,
        limiter: Limiter,
        files: FileStore,
        responses: StoredResponses,
        cachedResponses: ResponseCache,
        worker: WorkQueue,
        reader: Worker,
        assets: AssetCache,
        shared: SharedState,
        process: ProcessState,
        metrics: Metrics,
        usage: UsageRecorder
    ) {
        self.log = log
        self.memory = memory
        self.limiter = limiter
        self.files = files
        self.responses = responses
        self.cachedResponses = cachedResponses
        self.worker = worker
        self.reader = reader
        self.assets = assets
        self.shared = shared
        self.process = process
        self.metrics = metrics
        self.usage = usage
    }
}

/// The services of one event loop that stay the same when the settings change.
///
/// `@unchecked`: most of the services are used on the loop only.
package struct LoopServices: @unchecked Sendable {
    package let loop: EventLoop
    package let counts: LoopMetrics
    package let parser = JSONParser()
    package let ids = RandomBytes()
    let keyAcceptance = KeyAcceptanceCache()
    let compressedNeeds = CompressedNeeds()
    let running = RunningRequests()
    let waiting = WaitingExchanges()
    /// The HTTP client for calls to vendors.
    package let client: CurlClient
    /// The HTTP client for URLs that callers send. It connects only to public addresses and
    /// to networks that the settings allow.
    package let outside: CurlClient

    /// Creates the services of one event loop.
    /// - Parameters:
    ///   - budget: the memory budget for vendors' responses and idle connections; nil without a limit.
    ///   - maxConnections: the number of vendor connections above which idle ones are closed.
    package init(
        loop: EventLoop,
        counts: LoopMetrics,
        budget: MemoryBudget? = nil,
        maxConnections: Int = ServerBounds().connections
    ) {
        self.loop = loop
        self.counts = counts
        client = CurlClient(loop: loop, budget: budget, maxConnections: maxConnections)
        outside = CurlClient(loop: loop, rule: AddressRule(), budget: budget)
    }
}

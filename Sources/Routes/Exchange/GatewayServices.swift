package import Engine
package import Limits
package import Shared
import Upstream

/// The parts that all loops of the process share and endpoints need.
package struct SharedServices: Sendable {
    package let log: Log
    let memory: MemoryBudget
    let limiter: Limiter
    let files: FileStore
    let responses: StoredResponses
    let cachedResponses: ResponseCache
    /// The threads for work that would block the loop.
    let worker: WorkQueue
    /// The thread that reads large bodies.
    let reader: Worker
    let assets: AssetCache
    /// The state that all instances share.
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

/// The parts of a loop that survive a change of its setup.
///
/// `@unchecked`: most are used on the loop only.
package struct LoopServices: @unchecked Sendable {
    package let loop: EventLoop
    package let counts: LoopMetrics
    package let parser = JSONParser()
    package let ids = RandomBytes()
    let keyAcceptance = KeyAcceptanceCache()
    let running = RunningRequests()
    /// The HTTP client for vendors.
    package let client: CurlClient
    /// The HTTP client for URLs of callers. It reaches only public addresses and networks that the settings add.
    package let outside: CurlClient

    /// Creates the parts of a loop.
    ///
    /// - Parameters:
    ///   - budget: the memory budget for responses and idle connections of vendors; nil if it is not limited.
    ///   - maxConnections: the number of connections to vendors above which idle connections are closed.
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

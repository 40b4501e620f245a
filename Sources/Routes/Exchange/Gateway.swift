import Calls
package import Engine
import Limits
package import Shared
package import Synchronization
import Upstream

/// The services and settings that endpoints use on one event loop.
///
/// `@unchecked`: `parser`, `ids`, `callers`, `limits`, `registry` and `keyAcceptance` are used on its loop only. Parts
/// that all loops share are immutable or thread-safe.
final class Gateway: ChatServices, @unchecked Sendable {
    let settings: Settings
    let loop: EventLoop
    let log: Log
    let callers: Callers
    let limits: LimitBook
    let limiter: Limiter
    let memory: MemoryBudget
    let registry: Registry
    /// A filter that removes the progress lines of all panels from the earlier messages of a request.
    let panelMarks: PanelProgressLines
    let keyCheckers: [any KeyChecker]
    let files: FileStore
    let responses: StoredResponses
    /// The response cache with its settings; nil if the cache is off.
    let cache: ConfiguredCache?
    /// The cached responses of the process. New settings keep this object.
    let cachedResponses: ResponseCache
    /// The queue of long jobs, which run on a thread of their own.
    let worker: WorkQueue
    /// The worker thread that parses large request bodies.
    let reader: Worker
    /// The HTTP client for images in requests; nil if the relay must not download images.
    let fetcher: Fetcher?
    /// The process's cache of files that the relay has uploaded to vendors.
    let assets: AssetCache
    /// The state that all instances of the relay share.
    let shared: SharedState
    let process: ProcessState
    let usage: UsageRecorder
    let counts: LoopMetrics
    let metrics: Metrics
    let parser: JSONParser
    let ids: RandomBytes
    /// The running requests of this event loop, which the operator's page shows.
    let running: RunningRequests
    let keyAcceptance: KeyAcceptanceCache
    /// The time during which a request may retry calls and try further candidates, in nanoseconds.
    let fallbackNanoseconds: UInt64
    let isOpenToAllOrigins: Bool
    /// Whether the settings allow operators to log in.
    let hasOperator: Bool
    /// The converter of bodies to the texts in usage records; nil if bodies are not kept.
    let bodyText: BodyText?
    /// The header lines that are the same in all responses that web pages of other sites may read.
    let commonFields: ByteBuffer

    init(_ shares: SharedServices, _ own: LoopServices, setup: Setup) {
        settings = setup.settings
        fallbackNanoseconds = UInt64(clamping: setup.settings.balance.deadline.nanoseconds)
        hasOperator = setup.settings.admin != nil
        bodyText = setup.settings.admin?.bodyLimitBytes.map { limitBytes in
            BodyText(limitBytes: limitBytes, hiding: SecretFinder(setup.settings.providers.flatMap(\.apiKeys)))
        }
        isOpenToAllOrigins = setup.settings.corsOrigins == ["*"]
        commonFields = Self.commonFields(isOpenToAllOrigins: isOpenToAllOrigins)
        loop = own.loop
        log = shares.log
        callers = setup.callers
        limits = setup.limits
        limiter = shares.limiter
        memory = shares.memory
        registry = setup.registry
        panelMarks = PanelProgressLines(of: setup.registry.modelCatalog.panels.all)
        keyCheckers = setup.keyCheckers
        files = shares.files
        responses = shares.responses
        cachedResponses = shares.cachedResponses
        cache = setup.settings.cache.map { ConfiguredCache($0, shares.cachedResponses) }
        if setup.settings.cache?.store != .memory { shares.cachedResponses.removeAll() }
        shares.process.admin.sessions.use(setup.settings.admin)
        worker = shares.worker
        reader = shares.reader
        fetcher = setup.fetcher
        assets = shares.assets
        shared = shares.shared
        process = shares.process
        usage = shares.usage
        counts = own.counts
        metrics = shares.metrics
        parser = own.parser
        ids = own.ids
        running = own.running
        keyAcceptance = own.keyAcceptance
    }

    func memory(of caller: Caller) -> ImageMemory { ImageMemory(shared, of: caller, on: loop) }

    func mediaAccess(for caller: Caller) -> MediaAccess {
        let owner = FileOwner(caller, secret: settings.fileSecret)
        return MediaAccess(registry, for: caller, worker: worker, fetcher: fetcher, assets: assets) {
            (id) async throws(APIError) in
            guard let owner else { return nil }
            return try await self.file(id, of: owner)?.file
        }
    }

    /// The header lines that every response has, without the lines for CORS.
    static var plainFields: ByteBuffer {
        var head = ResponseHead(status: 200)
        head.add("OpenAI-Version", "2020-10-01")
        var fields = ByteBuffer()
        fields.append(head.fields.bytes)
        return fields
    }

    private static func commonFields(isOpenToAllOrigins: Bool) -> ByteBuffer {
        var head = ResponseHead(status: 200)
        head.fields.append(plainFields.bytes)
        if isOpenToAllOrigins {
            head.add("Access-Control-Allow-Origin", "*")
        } else {
            head.add("Vary", "Origin")
        }
        head.add(
            "Access-Control-Expose-Headers",
            """
            x-request-id, retry-after, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, \
            x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, \
            x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, ratelimit, ratelimit-policy, \
            x-relay-provider, x-relay-attempts, x-relay-cache, x-relay-limited-by, x-relay-cost, x-relay-ignored, sunset
            """
        )
        var fields = ByteBuffer()
        fields.append(head.fields.bytes)
        return fields
    }
}

/// The state that all event loops of the process share.
package final class ProcessState: Sendable {
    package let isDraining = Atomic<Bool>(false)
    package let admin: AdminState
    let unknownKeys = RecentUnknownKeys()
    let refusedAddresses = RefusedAddresses()
    /// The list of all running requests of the process.
    let running = RunningRegister()
    /// The metrics of the last hour; nil until the event loops run.
    package let figures = Lock<FigureHistory?>(nil)
    let reloads = OpenReloads()
    /// The reloader of the settings; nil if settings cannot be reloaded.
    package let reloader = Lock<(any SettingsReloader)?>(nil)

    package init(_ admin: AdminState) { self.admin = admin }
}

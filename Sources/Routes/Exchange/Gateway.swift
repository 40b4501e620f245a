package import Engine
import Limits
package import Shared
package import Synchronization
import Upstream
import UsageRecords

/// The services and settings that endpoints use on one event loop.
///
/// `@unchecked`: `parser`, `ids`, `callers`, `limits`, `registry` and `keyAcceptance` are used on its loop only. Services
/// of the process are immutable or thread-safe.
final class Gateway: ChatServices, @unchecked Sendable {
    let setup: Setup
    private let services: SharedServices
    private let own: LoopServices
    /// A filter that removes the progress lines of all panels from the earlier messages of a request.
    let panelMarks: PanelProgressLines
    /// The response cache with its settings; nil if the cache is off.
    let cache: ConfiguredCache?
    /// The time during which a request may retry calls and try further candidates, in nanoseconds.
    let fallbackNanoseconds: UInt64
    let isOpenToAllOrigins: Bool
    /// The key of what relays with the same secrets name alike.
    let storeScope: StoreScope
    /// Whether the settings allow operators to log in.
    let hasOperator: Bool
    /// The converter of bodies to the texts in usage records; nil if bodies are not kept.
    let bodyText: BodyText?
    /// The header lines that are the same in all responses that web pages of other sites may read.
    let commonFields: ByteBuffer

    init(_ services: SharedServices, _ own: LoopServices, setup: Setup) {
        self.setup = setup
        self.services = services
        self.own = own
        let settings = setup.settings
        panelMarks = PanelProgressLines(of: setup.registry.modelCatalog.panels.all)
        let scope = StoreScope(settings.limits.storeSecret, settings.keys)
        storeScope = scope
        cache = settings.cache.map { ConfiguredCache($0, services.cachedResponses, scope) }
        fallbackNanoseconds = UInt64(clamping: settings.balance.deadline.nanoseconds)
        isOpenToAllOrigins = settings.corsOrigins == ["*"]
        hasOperator = settings.admin != nil
        bodyText = settings.admin?.bodyLimitBytes.map { limitBytes in
            BodyText(limitBytes: limitBytes, hiding: SecretFinder(settings.providers.flatMap(\.apiKeys)))
        }
        commonFields = Self.commonFields(isOpenToAllOrigins: isOpenToAllOrigins)
        if settings.cache?.store != .memory { services.cachedResponses.removeAll() }
        services.process.admin.sessions.use(settings.admin)
    }

    func with(_ setup: Setup) -> Gateway { Gateway(services, own, setup: setup) }

    // Of the settings in use:
    var settings: Settings { setup.settings }
    var callers: Callers { setup.callers }
    var limits: LimitBook { setup.limits }
    var registry: Registry { setup.registry }
    var quirks: QuirkMemory { setup.quirks }
    var keyCheckers: [any KeyChecker] { setup.keyCheckers }
    var fetcher: Fetcher? { setup.fetcher }

    // Of the event loop:
    var loop: EventLoop { own.loop }
    var counts: LoopMetrics { own.counts }
    var compressedNeeds: CompressedNeeds { own.compressedNeeds }
    var parser: JSONParser { own.parser }
    var ids: RandomBytes { own.ids }
    var running: RunningRequests { own.running }
    var waiting: WaitingExchanges { own.waiting }
    var keyAcceptance: KeyAcceptanceCache { own.keyAcceptance }

    var issuerFetcher: Fetcher { settings.issuerFetcher(own.client) }

    // Of the process:
    var log: Log { services.log }
    var limiter: Limiter { services.limiter }
    var memory: MemoryBudget { services.memory }
    var files: FileStore { services.files }
    var responses: StoredResponses { services.responses }
    /// The cached responses of the process. New settings keep this object.
    var cachedResponses: ResponseCache { services.cachedResponses }
    var worker: WorkQueue { services.worker }
    var reader: Worker { services.reader }
    var assets: AssetCache { services.assets }
    var shared: SharedState { services.shared }
    var process: ProcessState { services.process }
    var usage: UsageRecorder { services.usage }
    var metrics: Metrics { services.metrics }

    func memory(of caller: Caller) -> ImageMemory { ImageMemory(shared, of: caller, on: loop) }

    func mediaAccess(for caller: Caller) -> MediaAccess {
        let owner = FileOwner(caller, secret: settings.fileSecret)
        return MediaAccess(registry, for: caller, worker: worker, fetcher: fetcher, assets: assets) {
            (id) async throws(APIError) in
            guard let owner else { return nil }
            return try await self.file(id, of: owner)?.file
        }
    }

    /// Returns what `work` makes. Long work runs on the worker thread.
    /// - Parameter weight: the time for each byte, relative to usual work.
    func worked<Value: Sendable>(
        ofBytes bytes: Int,
        weight: Int = 1,
        _ work: @escaping @Sendable () throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        let result = await worker.result(ofBytes: bytes, weight: weight, on: loop) {
            Result { () throws(APIError) in try work() }
        }
        guard let result else { throw .tooMuchWork }
        return try result.get()
    }

    /// The header lines that every response has, without the lines for CORS.
    static var plainFields: ByteBuffer { ByteBuffer("OpenAI-Version: 2020-10-01\r\n") }

    private static func commonFields(isOpenToAllOrigins: Bool) -> ByteBuffer {
        var fields = plainFields
        fields.append(isOpenToAllOrigins ? "Access-Control-Allow-Origin: *\r\n" : "Vary: Origin\r\n")
        fields.append(
            """
            Access-Control-Expose-Headers: \
            x-request-id, x-relay-budget, x-relay-max-tokens, x-relay-upstream-request-id, retry-after, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, \
            x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, \
            x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, ratelimit, ratelimit-policy, \
            x-relay-provider, x-relay-attempts, x-relay-cache, x-relay-limited-by, x-relay-cost, x-relay-waited, x-relay-ignored, sunset\r\n
            """
        )
        return fields
    }
}

/// The state that all event loops of the process share.
package final class ProcessState: Sendable {
    package let isDraining = Atomic<Bool>(false)
    /// Whether the relay cuts the requests that still run at the end of its shutdown.
    package let hasCut = Atomic<Bool>(false)
    package let admin: AdminState
    let unknownKeys = RecentUnknownKeys()
    let issuerKeys = IssuerKeys()
    /// The members of families that have called. No caller names them, so alerts look here.
    let members = RecentNames(pauseSeconds: 3_600)
    /// The addresses whose requests with a refused key have a usage record.
    let refusedAddresses = RecentNames(pauseSeconds: 60)
    /// The models whose responses were at a service tier without a price.
    let unpricedTiers = RecentNames(pauseSeconds: 3_600)
    let running = RunningRegister()
    /// The metrics of the last hour; nil until the event loops run.
    package let figures = Lock<FigureHistory?>(nil)
    let reloads = OpenReloads()
    /// The reloader of the settings; nil if settings cannot be reloaded.
    package let reloader = Lock<(any SettingsReloader)?>(nil)

    package init(_ admin: AdminState) { self.admin = admin }
}

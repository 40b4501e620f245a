import Glibc
import Limits
import Support
import Upstream

@testable import Engine
@testable import Routes
@testable import Shared
@testable import UsageRecords

/// The response that a client would have received.
struct ReceivedResponse: Sendable {
    var status = 0
    var head = ""
    var body = ""
}

/// A router with all its services on one loop, to which requests come without a socket.
///
/// `@unchecked`: used on its loop only.
final class RouterHost: @unchecked Sendable {
    let loop: EventLoop
    let memory: MemoryBudget
    let router: Router
    let gateway: Gateway
    private let parts: SharedServices
    private let null: Int32
    private let memoryPool: LoopMemoryPool
    private var shares: [MemoryShare] = []

    /// Creates a router. Call it on the loop.
    ///
    /// - Parameters:
    ///   - lines: the settings, as names and values of the environment.
    ///   - clock: the loop's clock if the limits should use it, too; otherwise nil.
    ///   - usageFile: the path of the file for usage records; nil for none.
    ///   - catalogues: the built-in model catalogues, by the kind of provider.
    ///   - vendor: makes the vendor of a provider.
    init(
        _ lines: [(String, String)],
        on loop: EventLoop,
        clock: ManualClock? = nil,
        within memory: MemoryBudget = MemoryBudget(bytes: 1 << 30),
        usageFile: String? = nil,
        catalogues: Catalogues = [:],
        _ vendor: (ProviderSettings, LoopTools) -> any ChatVendor
    ) {
        self.loop = loop
        self.memory = memory
        memoryPool = LoopMemoryPool(memory, loop)
        let settings = Self.settings(lines, catalogues)
        let modelCatalog = ModelCatalog(settings, catalogues)
        let shared = SharedState(MemoryCounters(bytes: 1 << 20) { time(nil) }, timeoutMilliseconds: 100)
        let labels = MetricLabels(
            routes: Router.labels,
            models: modelCatalog.names,
            providers: settings.providers.map(\.name),
            callers: settings.keys.map(\.name)
        )
        let metrics = Metrics(labels, loops: 1, others: [])
        null = open("/dev/null", O_WRONLY)
        let worker = WorkQueue(bytes: 1 << 20)
        let log = Log(level: .error, format: .json, descriptor: null)
        parts = SharedServices(
            log: log,
            memory: memory,
            limiter: Limiter(store: nil, clock: clock.map(Self.limitClock)),
            files: FileStore(shared),
            responses: StoredResponses(shared),
            cachedResponses: ResponseCache(memory, shared: nil, worker: worker, log),
            worker: worker,
            reader: Worker(bound: 4),
            assets: AssetCache(),
            shared: shared,
            process: ProcessState(AdminState(instance: "a:1", dataFolder: nil, hasOwnAdminSocket: false, shared: nil)),
            metrics: metrics,
            usage: UsageRecorder(
                usageFile.map { UsageFileSettings(path: $0, maxBytes: 1 << 30, files: 1) },
                memory,
                log: log
            )
        )
        let own = LoopServices(loop: loop, counts: metrics.loops[0])
        let tools = LoopTools(loop, own.parser, ids: own.ids, worker: worker)
        let balance = Balance(settings.balance)
        let entries = settings.providers.enumerated().map { [parts] index, provider in
            Registry.Entry(
                provider: vendor(provider, tools),
                keys: provider.apiKeys.isEmpty ? nil : KeyRing(provider.apiKeys, weights: provider.keyWeights),
                isPassthrough: provider.isPassthrough,
                countsCredits: provider.kind.row.countsCredits,
                capacity: Capacity(
                    provider,
                    at: index,
                    settings.balance,
                    limits: CapacityLimits(provider.capacity),
                    limiter: parts.limiter,
                    queue: balance.queue
                ),
                excluding: Candidate.Traits(excludedBy: provider)
            )
        }
        let registry = Registry(entries, modelCatalog, balance: balance, on: loop)
        let setup = Setup(settings, registry, quirks: QuirkMemory(), keyCheckers: [], fetcher: nil)
        router = Router(parts, own, setup: setup)
        gateway = Gateway(parts, own, setup: setup)
    }

    private static func settings(_ lines: [(String, String)], _ catalogues: Catalogues) -> Settings {
        let read = Settings.read([.environment(lines)], catalogues, table: .product, usableBytes: 16 << 30) {
            _ throws(FileProblem) in throw FileProblem(text: "no files", isAbsence: true)
        }
        guard let settings = read.settings else { preconditionFailure("\(read.problems)") }
        return settings
    }

    private static func limitClock(_ clock: ManualClock) -> LimitClock {
        LimitClock {
            let microseconds = Int(clock.now.nanoseconds(since: .distantPast) / 1_000)
            return ClockReading(wall: 1_700_000_000_000_000 + microseconds, steady: microseconds)
        }
    }

    /// Stops the threads of the services. Waits until all usage records are written. Call it on the loop.
    func stop() {
        for share in shares { memoryPool.leave(share) }
        // The pool and its shares hold each other, and so the loop with its descriptors.
        memoryPool.sweep()
        parts.worker.stop()
        parts.reader.stop()
        parts.shared.stop()
        parts.usage.stop()
        close(null)
    }

    /// Returns a request whose body has arrived.
    ///
    /// - Parameter fields: further lines of the head, each with its line end.
    func request(_ body: String, to path: String = "/v1/chat/completions", _ fields: String = "") -> Request {
        let text = """
            POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\(fields)\
            Content-Length: \(body.utf8.count)\r\n\r\n\(body)
            """
        let bytes = ByteBuffer(text)
        var head = RequestHead()
        guard let length = try? RequestParser.parse(bytes.bytes, into: &head) else {
            preconditionFailure("an invalid request: \(text)")
        }
        let share = memoryPool.share(of: MemoryHolder.Key((0, 1)))
        shares.append(share)
        let requestBody = RequestBody(head, NoSource(), headBytes: length, peer: share)
        _ = try? requestBody.receive(bytes.bytes[part: length..<bytes.count])
        let peer = PeerAddress(high: 0, low: 1)
        return Request(head, bytes.bytes[part: 0..<length], body: requestBody, peer: peer)
    }
}

/// Sends one request without a socket to a router whose only vendor serves the model `m`. Call it on the loop.
///
/// - Parameter surface: the surface that responds; nil for the router's route.
func answered(
    _ body: String,
    by vendor: any ChatVendor,
    through surface: (any ChatSurface)? = nil,
    within memory: MemoryBudget = MemoryBudget(bytes: 1 << 30),
    on loop: EventLoop
) async -> ReceivedResponse? {
    let lines = [
        ("PROVIDERS", "little"), ("PROVIDER_LITTLE_KIND", "echo"), ("PROVIDER_LITTLE_MODELS", "m"),
        ("ANONYMOUS_MODELS", "all"),
    ]
    let host = RouterHost(lines, on: loop, within: memory) { _, _ in vendor }
    defer { host.stop() }
    let request = host.request(body)
    let writer = ResponseCollector()
    if let surface {
        let exchange = Exchange(request, writer, gateway: host.gateway, surface: surface)
        do throws(APIError) {
            if let delivery = try await openedChat(surface, exchange) { await delivery.run() } else { exchange.end() }
        } catch {
            exchange.fail(error)
            exchange.end()
        }
    } else {
        await host.router.handle(request, writer)?.run()
    }
    request.body.requestEnds()
    return writer.answered
}

private final class NoSource: BodySource {
    func bodyIsWanted() {}
}

/// A response writer that collects the response.
///
/// `@unchecked`: used on one loop only.
final class ResponseCollector: ResponseWriter, @unchecked Sendable {
    private(set) var answered = ReceivedResponse()
    let isFull = false

    func send(_ head: borrowing ResponseHead, body: borrowing ByteBuffer) {
        begin(head)
        write(body)
    }

    func begin(_ head: borrowing ResponseHead) {
        answered.status = head.status
        answered.head = head.fields.text
    }

    func write(_ bytes: borrowing ByteBuffer) { answered.body += bytes.text }
    func drained(by deadline: LoopTime) async {}
    func end() {}
    func cut() { answered.status = 499 }
}

import Calls
import Glibc
import Limits
import Shared
import Upstream

@testable import Engine
@testable import Routes

/// The response that a client would have received.
struct ReceivedResponse: Sendable {
    var status = 0
    var head = ""
    var body = ""
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
    let settings = Settings.read(
        [
            .environment([
                ("PROVIDERS", "little"), ("PROVIDER_LITTLE_KIND", "echo"), ("PROVIDER_LITTLE_MODELS", "m"),
                ("ANONYMOUS_MODELS", "all"),
            ])
        ],
        [:],
        table: .product,
        usableBytes: 16 << 30
    ) { _ throws(FileProblem) in throw FileProblem(text: "no files", isAbsence: true) }
    guard let settings = settings.settings else { return ReceivedResponse(body: "\(settings.problems)") }
    let modelCatalog = ModelCatalog(settings, [:])
    let entry = Registry.Entry(provider: vendor, keys: nil, isPassthrough: false, countsCredits: false)
    let shared = SharedState(MemoryCounters(bytes: 1 << 20) { time(nil) }, timeoutMilliseconds: 100)
    let metrics = Metrics(
        MetricLabels(routes: Router.labels, models: ["m"], providers: ["little"]),
        loops: 1,
        others: []
    )
    let (worker, reader) = (WorkQueue(bytes: 1 << 20), Worker(bound: 4))
    let null = open("/dev/null", O_WRONLY)
    defer {
        worker.stop()
        reader.stop()
        shared.stop()
        close(null)
    }
    let log = Log(level: .error, format: .json, descriptor: null)
    let parts = SharedServices(
        log: log,
        memory: memory,
        limiter: Limiter(store: nil),
        files: FileStore(shared),
        responses: StoredResponses(shared),
        cachedResponses: ResponseCache(memory, shared: nil, worker: worker, log),
        worker: worker,
        reader: reader,
        assets: AssetCache(),
        shared: shared,
        process: ProcessState(AdminState(instance: "a:1", dataFolder: nil, hasOwnAdminSocket: false, shared: nil)),
        metrics: metrics,
        usage: UsageRecorder(nil, memory, log: log)
    )
    let own = LoopServices(loop: loop, counts: metrics.loops[0])
    let registry = Registry([entry], modelCatalog, balance: Balance(settings.balance), on: loop)
    let setup = Setup(settings, registry, keyCheckers: [], fetcher: nil)
    let text = """
        POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
        Content-Length: \(body.utf8.count)\r\n\r\n\(body)
        """
    let bytes = ByteBuffer(text)
    let source = NoSource()
    let memoryPool = LoopMemoryPool(memory, loop)
    let writer = ResponseCollector()
    var head = RequestHead()
    guard let length = try? RequestParser.parse(bytes.bytes, into: &head) else { return nil }
    let share = memoryPool.share(of: MemoryHolder.Key((0, 1)))
    let requestBody = RequestBody(head, source, headBytes: length, peer: share)
    _ = try? requestBody.receive(bytes.bytes[part: length..<bytes.count])
    let peer = PeerAddress(high: 0, low: 1)
    let request = Request(head, bytes.bytes[part: 0..<length], body: requestBody, peer: peer)
    if let surface {
        let exchange = Exchange(request, writer, gateway: Gateway(parts, own, setup: setup), surface: surface)
        do throws(APIError) {
            if let failure = try await openedChat(surface, exchange)?.failure(delivering: exchange) { throw failure }
        } catch {
            exchange.fail(error)
        }
        exchange.end()
    } else {
        await Router(parts, own, setup: setup).handle(request, writer)?.run()
    }
    requestBody.requestEnds()
    return writer.answered
}

private final class NoSource: BodySource {
    func bodyIsWanted() {}
}

/// A response writer that collects the response.
///
/// `@unchecked`: used on one loop only.
private final class ResponseCollector: ResponseWriter, @unchecked Sendable {
    var answered = ReceivedResponse()
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
    func drained() async {}
    func end() {}
    func cut() { answered.status = 499 }
}

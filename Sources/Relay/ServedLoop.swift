import Engine
import Limits
import Routes
import Shared

/// An event loop with its running thread, its servers and its router.
struct ServedLoop: Sendable {
    let thread: LoopThread
    /// The servers on this loop: the API's server and possibly the admin pages' server.
    let servers: [Server]
    let router: Router
    let loop: EventLoop
    let own: LoopServices

    init(
        _ listening: Listening,
        _ parts: SharedServices,
        makers: SetupBuilder,
        bounds: ServerBounds
    ) throws(Listener.Failure) {
        loop = listening.loop
        own = LoopServices(
            loop: loop,
            counts: listening.counts,
            budget: makers.budget,
            // Half of the file descriptors are for clients, the other half for vendors.
            maxConnections: CurlClient.connections(descriptors: bounds.connections)
        )
        let setup = try makers.setup(of: own)
        router = Router(parts, own, setup: setup)
        makers.use(setup, own, router: router)
        let memory = LoopMemoryPool(makers.budget, loop)
        let server = Server(
            listener: listening.socket,
            loop: loop,
            handler: router,
            bounds: bounds,
            memory: memory,
            open: listening.counts.connections
        )
        var ownBounds = bounds
        ownBounds.connections = Self.operatorConnections
        let own = listening.operatorSocket.map { [loop, router] socket in
            Server(listener: socket, loop: loop, handler: OperatorHandler(router), bounds: ownBounds, memory: memory)
        }
        servers = [server] + (own.map { [$0] } ?? [])
        thread = LoopThread(loop)
    }

    /// The largest number of client connections to the socket of `ADMIN_LISTEN`, which serves only the admin pages.
    private static let operatorConnections = 256

    /// Creates an event loop that is not running yet. It logs a warning when a callback blocks the loop.
    static func loop(_ log: Log) -> EventLoop {
        EventLoop(onLongTurn: { length in
            log.warning("an event loop was blocked") { $0.add("duration_ms", Int(length / 1_000_000)) }
        })
    }
}

extension [ServedLoop] {
    /// Runs `work` on each loop with its index, and returns the results in the order of the loops. Blocks.
    @discardableResult
    func onLoops<Value: Sendable>(_ work: @escaping @Sendable (Int, ServedLoop) -> Value) -> [Value] {
        let results = LoopResults<Value>(count)
        for (location, one) in enumerated() { one.loop.call { results.record(work(location, one), of: location) } }
        return results.wait(until: .distantFuture).compactMap(\.self)
    }
}

/// The sockets that the relay listens on. The relay opens them before it creates anything else.
struct Sockets {
    /// The sockets of the API, one for each loop.
    let api: [Int32]
    /// The socket of `ADMIN_LISTEN`; nil if the sockets of the API also serve the admin pages.
    private let operators: Int32?

    init(_ settings: Settings, loops: Int) throws(Listener.Failure) {
        api = try Listener.open(host: settings.host, port: settings.port, count: loops)
        guard let address = settings.admin?.listener else {
            operators = nil
            return
        }
        let names = (host: "the address of ADMIN_LISTEN", port: "the port of ADMIN_LISTEN")
        operators = try Listener.open(host: address.host, port: Int(address.port), count: 1, names).first
    }

    func listening(on loops: [EventLoop], _ metrics: Metrics) -> [Listening] {
        loops.indices.map { index in
            Listening(
                socket: api[index],
                operatorSocket: index == 0 ? operators : nil,
                loop: loops[index],
                counts: metrics.loops[index]
            )
        }
    }
}

/// An event loop with its metrics and the listening sockets for clients' connections.
struct Listening {
    let socket: Int32
    /// The separate socket of the admin pages; nil except on the first loop with `ADMIN_LISTEN`.
    let operatorSocket: Int32?
    let loop: EventLoop
    let counts: LoopMetrics
}

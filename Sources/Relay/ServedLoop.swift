import Engine
import Routes
import Shared

/// An event loop with its thread, which has begun, its server and its router.
struct ServedLoop: Sendable {
    let thread: LoopThread
    let server: Server
    let router: Router
    let loop: EventLoop
    let own: LoopParts

    init(
        _ listening: Listening,
        _ parts: ProcessParts,
        _ makers: SetupParts,
        _ bounds: ServerBounds
    ) throws(Listener.Failure) {
        loop = listening.loop
        own = LoopParts(
            loop: loop,
            counts: listening.counts,
            budget: makers.budget,
            // Half of the descriptors are for clients, the other half for vendors.
            maxConnections: bounds.connections
        )
        let setup = try makers.setup(of: own)
        router = Router(parts, own, setup)
        makers.use(setup, own, router)
        server = Server(
            listener: listening.socket,
            loop: loop,
            handler: router,
            bounds: bounds,
            memory: MemoryDesk(makers.budget, loop),
            open: listening.counts.connections
        )
        thread = LoopThread(loop)
    }

    /// Not running yet.
    static func loop(_ log: Log) -> EventLoop {
        EventLoop(onLongTurn: { length in
            log.warning("an event loop was held up") { $0.add("duration_ms", Int(length / 1_000_000)) }
        })
    }
}

/// A loop, the socket that takes its connections, and its counts.
struct Listening {
    let socket: Int32
    let loop: EventLoop
    let counts: LoopMetrics
}

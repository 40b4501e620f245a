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
        _ listener: Int32,
        _ counts: LoopMetrics,
        _ parts: ProcessParts,
        _ makers: SetupParts,
        _ bounds: ServerBounds
    ) throws(Listener.Failure) {
        let log = parts.log
        loop = EventLoop(onLongTurn: { length in
            log.warning("an event loop was held up") { $0.add("duration_ms", Int(length / 1_000_000)) }
        })
        own = LoopParts(loop: loop, counts: counts, budget: makers.budget)
        let setup = try makers.setup(of: own)
        router = Router(parts, own, setup)
        makers.use(setup, own, router)
        server = Server(
            listener: listener,
            loop: loop,
            handler: router,
            bounds: bounds,
            memory: MemoryDesk(makers.budget, loop),
            open: counts.connections
        )
        thread = LoopThread(loop)
    }
}

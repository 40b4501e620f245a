import Support
import Synchronization

@testable import Engine

/// A server on a loop whose clock the test moves, or on a loop with its own clock, and what its handler saw.
final class TestServer: Sendable {
    let clock = ManualClock()
    let loop: EventLoop
    let port: UInt16
    let server: Server
    private let thread: Lock<LoopThread?>

    init(
        connections: Int = 1_000,
        loop: EventLoop? = nil,
        budget: MemoryBudget = .unbounded(),
        _ handle: @escaping @Sendable (Request, any ResponseWriter) async -> Void = { _, writer in
            writer.respond("hello")
        }
    ) throws {
        self.loop = loop ?? clock.loop()
        let listener = try Listener.open(host: "127.0.0.1", port: 0, count: 1)[0]
        port = Support.port(of: listener)
        var bounds = ServerBounds()
        bounds.connections = connections
        server = Server(
            listener: listener,
            loop: self.loop,
            handler: ClosureHandler(handle),
            bounds: bounds,
            memory: LoopMemoryPool(budget, self.loop)
        )
        server.listen()
        thread = Lock(LoopThread(self.loop))
    }

    /// Returns a connection that the server has accepted.
    func connect(receiveBufferBytes: Int32? = nil) -> Socket {
        guard let socket = Socket(connectedTo: port, receiveBufferBytes: receiveBufferBytes) else {
            preconditionFailure("the server does not listen")
        }
        loop.settle()
        return socket
    }

    /// Lets the server do what is ready, moves the clock, and lets the server see that.
    func pass(milliseconds: UInt64) { loop.pass(milliseconds: milliseconds, on: clock) }

    func stop() {
        loop.call { [server] in server.closeAll() }
        loop.settle()
        loop.stop()
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }
}

private final class ClosureHandler: Handler {
    private let body: @Sendable (Request, any ResponseWriter) async -> Void

    init(_ body: @escaping @Sendable (Request, any ResponseWriter) async -> Void) { self.body = body }

    func handle(_ request: Request, _ writer: any ResponseWriter) async -> (any Delivery)? {
        await body(request, writer)
        return nil
    }

    func refuse(_ error: RequestError, _ beginning: UnsafeRawBufferPointer, _ writer: any ResponseWriter) {
        writer.respond(error.reason, status: error.status)
    }
}

extension ResponseWriter {
    func respond(_ text: String, status: Int = 200) {
        send(ResponseHead(status: status), body: ByteBuffer(text))
    }
}

extension Request {
    /// Returns the whole body, or the error of reading it.
    func wholeBody(limitBytes: Int = 1_000_000) async -> Result<String, RequestError> {
        do throws(RequestError) {
            try await body.collect(limitBytes: limitBytes)
            return .success(body.bytes.text)
        } catch {
            return .failure(error)
        }
    }
}

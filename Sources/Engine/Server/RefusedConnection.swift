import CLinux
import Glibc

/// A connection that is refused with status 503 because memory is short.
final class RefusedConnection: Watcher, TimerTarget, OnLoop, @unchecked Sendable {
    private let descriptor: Int32
    private let loop: EventLoop
    private let whenClosed: (RefusedConnection) -> Void
    private lazy var timer = Timer(self)

    private static let lingerNanoseconds: UInt64 = 1_000_000_000
    /// The largest number of reads in one turn of the loop.
    private static let maxReads = 16

    private static let response: StaticString = """
        HTTP/1.1 503 Service Unavailable\r
        Content-Type: application/json\r
        Content-Length: 163\r
        Retry-After: 1\r
        Retry-After-Ms: 1000\r
        Connection: close\r
        \r
        {"error":{"message":"Too many connections from this address hold memory. Close some, or try again \
        in 1 s.","type":"server_error","param":null,"code":"overloaded"}}
        """

    /// Creates a connection that drops received data, and calls `whenClosed` once, when it is closed.
    private init(_ descriptor: Int32, on loop: EventLoop, whenClosed: @escaping (RefusedConnection) -> Void) {
        self.descriptor = descriptor
        self.loop = loop
        self.whenClosed = whenClosed
    }

    /// Sends the error response on a new connection, and closes it, at once or after a second.
    /// - Parameter lingers: whether the connection stays open for up to a second.
    /// - Returns: the connection, which must be kept until `whenClosed` is called; nil if already closed.
    static func refuse(
        _ descriptor: Int32,
        on loop: EventLoop,
        lingers: Bool,
        whenClosed: @escaping (RefusedConnection) -> Void
    ) -> RefusedConnection? {
        _ = response.withUTF8Buffer { Glibc.send(descriptor, $0.baseAddress, $0.count, relay_no_signal) }
        shutdown(descriptor, Int32(SHUT_WR))
        guard lingers else {
            close(descriptor)
            return nil
        }
        let refused = RefusedConnection(descriptor, on: loop, whenClosed: whenClosed)
        loop.watch(descriptor, refused, for: EPOLLIN.rawValue)
        loop.arm(refused.timer, at: loop.now + lingerNanoseconds)
        return refused
    }

    func ready(_ events: UInt32) {
        let hasEnded = withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 1) { room in
            for _ in 0..<Self.maxReads {
                let count = recv(descriptor, room.baseAddress, room.count, 0)
                if count > 0 || count < 0 && errno == EINTR { continue }
                return count == 0 || errno != EAGAIN
            }
            return false
        }
        if hasEnded { end() }
    }

    func timerFired() { end() }

    /// Closes the connection, and calls `whenClosed`.
    func end() {
        loop.remove(timer)
        loop.forget(descriptor)
        close(descriptor)
        whenClosed(self)
    }
}

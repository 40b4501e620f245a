import Engine
import Glibc
import Synchronization

/// A server as a test scripts it, byte for byte: each connection has a thread that calls `serve` with its number, from
/// 0, and closes it after.
package final class RawServer: Sendable {
    package let port: UInt16
    private let listener: Int32
    private let count = Atomic<Int>(0)
    private let threads = Lock<[TestThread]>([])

    package init(_ serve: @escaping @Sendable (Socket, Int) -> Void) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = loopback(0)
        bindTo(listener, &address)
        listen(listener, 64)
        port = Support.port(of: listener)
        let accepting = TestThread { [self] in
            while true {
                let peer = accept(listener, nil, nil)
                guard peer >= 0 else { return }
                let number = count.add(1, ordering: .relaxed).oldValue
                let thread = TestThread { serve(Socket(owning: peer), number) }
                threads.withLock { $0.append(thread) }
            }
        }
        threads.withLock { $0.append(accepting) }
    }

    package var connections: Int { count.load(ordering: .relaxed) }

    package func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    /// Takes no more; returns when each connection has ended.
    package func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        while let thread = threads.withLock({ $0.popLast() }) { thread.join() }
        close(listener)
    }
}

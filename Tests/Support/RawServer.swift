import Glibc
import Synchronization

/// A scripted server for tests, byte for byte. Each connection has a thread that calls `serve` with its number, from 0,
/// and closes it afterwards. It accepts connections as long as this object lives.
package final class RawServer: Sendable {
    package let port: UInt16
    private let listener: Int32
    private let taken = AcceptedConnection()

    private final class AcceptedConnection: Sendable {
        let count = Atomic<Int>(0)
        let isStopped = Atomic<Bool>(false)
    }

    /// - Parameter onAllAddresses: whether to listen on all addresses of this machine, not only on 127.0.0.1.
    package init(onAllAddresses: Bool = false, _ serve: @escaping @Sendable (Socket, Int) -> Void) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = loopback(0)
        if onAllAddresses { address.sin_addr.s_addr = 0 }
        bindTo(listener, &address)
        listen(listener, 64)
        port = Support.port(of: listener)
        let accepting = TestThread { [taken] in
            while true {
                let peer = accept(listener, nil, nil)
                guard peer >= 0 else { break }
                let number = taken.count.add(1, ordering: .relaxed).oldValue
                TestThread { serve(Socket(owning: peer), number) }.detach()
            }
            close(listener)
        }
        accepting.detach()
    }

    deinit { stop() }

    package var connections: Int { taken.count.load(ordering: .relaxed) }

    package func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    /// Accepts no more connections; open ones continue. The accepting thread notices it and closes the socket.
    package func stop() {
        guard !taken.isStopped.exchange(true, ordering: .relaxed) else { return }
        shutdown(listener, Int32(SHUT_RDWR))
    }
}

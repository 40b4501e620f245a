import Glibc

/// A blocking TCP socket on loopback. Each wait ends after ten seconds.
///
/// `@unchecked`: used by one thread at a time. `waiting` holds bytes that were read past a request's end.
package final class Socket: @unchecked Sendable {
    private let descriptor: Int32
    private var waiting: [UInt8] = []

    init(owning descriptor: Int32) {
        self.descriptor = descriptor
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    deinit { close(descriptor) }

    /// Connects to a port. Returns nil if nothing listens there.
    ///
    /// - Parameter receiveBufferBytes: the most bytes that the kernel buffers for a client that does not read.
    package convenience init?(connectedTo port: UInt16, receiveBufferBytes: Int32? = nil) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.init(owning: descriptor)
        if var size = receiveBufferBytes { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var address = loopback(port)
        let code = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { return nil }
    }

    /// Sends bytes. Returns false if the other side does not accept them.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    package enum Arrival: Equatable {
        case bytes([UInt8])
        case end
        /// The connection was reset, or nothing arrived in ten seconds.
        case failure(Int32)
    }

    package func receive(most: Int = 65_536) -> Arrival {
        var room = [UInt8](repeating: 0, count: most)
        let count = recv(descriptor, &room, most, 0)
        if count > 0 { return .bytes(Array(room[..<count])) }
        return count == 0 ? .end : .failure(errno)
    }

    /// Returns bytes that were read past a head's end, or else what arrives next.
    package func receiveWaiting() -> Arrival {
        guard !waiting.isEmpty else { return receive() }
        defer { waiting = [] }
        return .bytes(waiting)
    }

    /// Returns everything up to the end, and how it ended.
    package func receiveAll() -> (bytes: [UInt8], end: Arrival) {
        var all = waiting
        waiting = []
        while true {
            guard case .bytes(let more) = receive() else { break }
            all += more
        }
        return (all, hasEnded)
    }

    private var hasEnded: Arrival { receive(most: 1) }

    /// Returns everything up to the end as text.
    package func textToEnd() -> String { String(decoding: receiveAll().bytes, as: UTF8.self) }

    /// Returns everything up to and including `mark`; nil if the connection ends before.
    package func receive(upTo mark: String) -> String? {
        let mark = Array(mark.utf8)
        var from = 0
        while true {
            while from + mark.count <= waiting.count {
                if waiting[from..<(from + mark.count)].elementsEqual(mark) {
                    let text = String(decoding: waiting[..<(from + mark.count)], as: UTF8.self)
                    waiting.removeFirst(from + mark.count)
                    return text
                }
                from += 1
            }
            guard case .bytes(let more) = receive() else { return nil }
            waiting += more
        }
    }

    /// Whether the kernel holds neither bytes nor the end for this side.
    package var isSilent: Bool { !hasInput(within: 0) }

    /// Returns whether bytes or the end are there or arrive within the time.
    package func hasInput(within milliseconds: Int32) -> Bool {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return !waiting.isEmpty || poll(&wanted, 1, milliseconds) != 0
    }

    /// Receives one request with its body (by Content-Length); nil if the client has left.
    package func receiveRequest() -> (head: String, body: [UInt8])? {
        guard let head = receive(upTo: "\r\n\r\n") else { return nil }
        var length = 0
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
            length = Int(line.dropFirst(15).filter { $0 != " " }) ?? 0
        }
        return receive(exactly: length).map { (head, $0) }
    }

    /// Receives exactly so many bytes; nil if the other side ends before.
    package func receive(exactly count: Int) -> [UInt8]? {
        while waiting.count < count {
            guard case .bytes(let more) = receive() else { return nil }
            waiting += more
        }
        let bytes = Array(waiting[..<count])
        waiting.removeFirst(count)
        return bytes
    }

    /// Ends the sending direction.
    package func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends the connection so that the other side sees a reset.
    package func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}

/// Returns the port of a listening socket.
package func port(of listener: Int32) -> UInt16 {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listener, $0, &length) }
    }
    return UInt16(bigEndian: address.sin_port)
}

/// A listening socket whose queue is full, so that connections to it are never established.
package final class FullListener: Sendable {
    private let listener: Int32
    private let waiting: [Int32]
    package let port: UInt16

    package init() {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(0)
        bindTo(listener, &address)
        listen(listener, 0)
        port = Support.port(of: listener)
        address = loopback(port)
        var waiting: [Int32] = []
        for _ in 0..<4 {
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            let descriptor = socket(AF_INET, kind, 0)
            withUnsafePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            waiting.append(descriptor)
        }
        self.waiting = waiting
    }

    deinit { for descriptor in waiting + [listener] { close(descriptor) } }
}

func bindTo(_ descriptor: Int32, _ address: inout sockaddr_in) {
    let code = withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    precondition(code == 0, "cannot bind")
}

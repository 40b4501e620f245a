import CLinux
import Glibc

/// A TCP connection to a server, without TLS. Sending and receiving never block; `wait` does.
package struct PlainSocket: ~Copyable {
    package let descriptor: Int32

    /// Connects to the first address of `host` that accepts. Blocks during the name look-up, and for at most
    /// `timeoutMilliseconds` for each address.
    package init(host: String, port: UInt16, timeoutMilliseconds: Int32) throws(SocketFailure) {
        var hints = addrinfo()
        hints.ai_socktype = relay_stream_type
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &found)
        guard code == 0 else { throw SocketFailure(reason: String(cString: gai_strerror(code)).lowercased()) }
        defer { freeaddrinfo(found) }
        var failure = SocketFailure(reason: "no address")
        var next = found?.pointee
        while let one = next {
            do throws(SocketFailure) {
                self.init(descriptor: try Self.connect(one, timeoutMilliseconds))
                return
            } catch {
                failure = error
            }
            next = one.ai_next?.pointee
        }
        throw failure
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    private static func connect(_ address: addrinfo, _ timeoutMilliseconds: Int32) throws(SocketFailure) -> Int32 {
        let socket = relay_stream_socket(address.ai_family)
        guard socket >= 0 else { throw SocketFailure(code: errno) }
        do throws(SocketFailure) {
            if Glibc.connect(socket, address.ai_addr, address.ai_addrlen) != 0 {
                guard errno == EINPROGRESS else { throw SocketFailure(code: errno) }
                try wait(for: socket, POLLOUT, timeoutMilliseconds)
                var (code, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
                getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length)
                guard code == 0 else { throw SocketFailure(code: code) }
            }
        } catch {
            close(socket)
            throw error
        }
        var one: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return socket
    }

    /// Sends as many bytes as the socket accepts now. Returns the number of bytes sent, which may be 0.
    package func send(_ bytes: UnsafeRawBufferPointer) throws(SocketFailure) -> Int {
        var sent = 0
        while sent < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
            let count = Glibc.send(descriptor, rest.baseAddress, rest.count, relay_no_signal)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { break }
            guard count > 0 else { throw SocketFailure(code: errno) }
            sent += count
        }
        return sent
    }

    /// Receives bytes that have already arrived. Throws if the server has closed the connection.
    /// - Returns: the number of bytes received; 0 if nothing has arrived.
    package func receive(into room: UnsafeMutableRawBufferPointer) throws(SocketFailure) -> Int {
        while true {
            let count = recv(descriptor, room.baseAddress, room.count, 0)
            if count > 0 { return count }
            if count == 0 { throw SocketFailure(reason: "the connection was closed") }
            if errno == EAGAIN { return 0 }
            guard errno == EINTR else { throw SocketFailure(code: errno) }
        }
    }

    /// Blocks until data has arrived or, if `isSending` is true, the socket can send more. Throws after the time-out.
    package func wait(isSending: Bool, timeoutMilliseconds: Int32) throws(SocketFailure) {
        try Self.wait(for: descriptor, isSending ? POLLIN | POLLOUT : POLLIN, timeoutMilliseconds)
    }

    private static func wait(for socket: Int32, _ events: Int32, _ milliseconds: Int32) throws(SocketFailure) {
        var watched = pollfd(fd: socket, events: Int16(events), revents: 0)
        while true {
            let count = poll(&watched, 1, milliseconds)
            if count > 0 { return }
            if count == 0 { throw .late }
            guard errno == EINTR else { throw SocketFailure(code: errno) }
        }
    }
}

/// The error of a connection that could not be opened or has ended.
package struct SocketFailure: Error, Sendable {
    package let reason: String

    package static let late = SocketFailure(reason: "no response in time")

    init(reason: String) { self.reason = reason }

    fileprivate init(code: Int32) { self.init(reason: String(cString: strerror(code)).lowercased()) }
}

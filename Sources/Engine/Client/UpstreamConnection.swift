import CCurl
import CLinux
import Glibc

/// A connection to a vendor, used by several calls one after another. Use it only on its loop's thread.
final class UpstreamConnection: CurlUser, Watcher, TimerTarget {
    enum Reading {
        case bytes(Int)
        /// No data has arrived yet.
        case nothing
        case end
        case broken(CURLcode)
    }

    /// The pool of connections to the same origin. This connection is kept there while it is idle.
    let origin: OriginConnections
    var idleSince = LoopTime.distantPast
    /// The index of this connection in the list of idle connections, plus the number of entries removed from the front
    /// of the list.
    var idleIndex = 0
    private unowned let client: CurlClient
    private let loop: EventLoop
    /// The libcurl handle that opens the connection; nil once a connection without TLS is open.
    private var handle: CurlHandle?
    /// OpenSSL's object of the open connection; nil without TLS.
    private var tls: OpaquePointer?
    private lazy var timer = Timer(self)
    /// The call that uses the connection; nil if the connection is idle.
    unowned var user: DirectTransfer?
    private var socket: Int32 = -1
    /// The events for which epoll watches the socket; 0 if epoll does not watch the socket.
    private var watched: UInt32 = 0
    private let hasTLS: Bool
    private let hasTLSProxy: Bool
    /// Whether received bytes may wait in a buffer that neither epoll nor `hasBufferedBytes` reports.
    private var hasHiddenBuffer = false
    private var isClosed = false

    init?(
        to endpoint: Endpoint,
        _ form: DirectRequestTemplate,
        for user: DirectTransfer,
        _ origin: OriginConnections
    ) {
        let client = origin.pool.client
        guard let handle = CurlHandle(client, isConnection: true) else { return nil }
        self.handle = handle
        self.origin = origin
        hasTLS = form.hasTLS
        hasTLSProxy = endpoint.options.hasTLSProxy
        self.client = client
        self.user = user
        loop = client.loop
        origin.willOpen()
        handle.user = self
        handle.use(endpoint)
        // The buffer is needed only for a proxy's response, so it may be small.
        _ = relay_curl_set_long(handle.easy, CURLOPT_BUFFERSIZE, 1_024)
        origin.multis.next().start(handle)
    }

    var held: Int32 { 0 }
    var hasEndedEarly: Bool { false }

    func finish(_ code: CURLcode) {
        if code == CURLE_OK, let handle {
            var found: curl_socket_t = CURL_SOCKET_BAD
            guard relay_curl_socket(handle.easy, &found) == CURLE_OK, found != CURL_SOCKET_BAD else {
                return user?.connected(CURLE_COULDNT_CONNECT, handle.connectFailure(CURLE_OK)) ?? ()
            }
            socket = found
            client.handOver(found)
            if hasTLS {
                _ = relay_curl_set_long(handle.easy, CURLOPT_BUFFERSIZE, origin.readBytes)
                tls = handle.tls
                hasHiddenBuffer = tls == nil || hasTLSProxy
            } else {
                client.keep(found)
                handle.multi?.remove(handle)
                self.handle = nil
            }
            watch(EventLoop.readEvents)
        }
        user?.connected(code, code == CURLE_OK ? nil : handle?.connectFailure(code))
    }

    /// Closes the connection at once. Do not call it inside a libcurl callback.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        user = nil
        watch(0)
        loop.remove(timer)
        tls = nil
        if let handle { handle.multi?.remove(handle) } else { client.closeSocket(socket) }
        origin.hasClosed()
    }

    // MARK: Bytes

    /// Sends as many bytes to the vendor as the socket accepts now. If some bytes are left, `canWrite` is called later.
    /// - Returns: the number of accepted bytes, also 0; a failure if the connection is broken.
    func write(_ bytes: UnsafeRawBufferPointer) -> Result<Int, CurlFailure> {
        var count = 0
        if let handle {
            let code = curl_easy_send(handle.easy, bytes.baseAddress, bytes.count, &count)
            guard code == CURLE_OK || code == CURLE_AGAIN else { return .failure(CurlFailure(code: code)) }
        } else {
            count = send(socket, bytes.baseAddress, bytes.count, relay_no_signal)
            guard count >= 0 || Self.mayGoOn else { return .failure(CurlFailure(code: CURLE_SEND_ERROR)) }
            count = max(0, count)
        }
        if count < bytes.count { watch(EventLoop.readEvents | EventLoop.sendEvents) }
        return .success(count)
    }

    func read(into room: UnsafeMutableRawBufferPointer) -> Reading {
        var count = 0
        guard let handle else {
            count = recv(socket, room.baseAddress, room.count, 0)
            if count < 0 { return Self.mayGoOn ? .nothing : .broken(CURLE_RECV_ERROR) }
            return count == 0 ? .end : .bytes(count)
        }
        switch curl_easy_recv(handle.easy, room.baseAddress, room.count, &count) {
        case CURLE_OK: return count == 0 ? .end : .bytes(count)
        case CURLE_AGAIN: return .nothing
        case let code: return .broken(code)
        }
    }

    /// Whether the vendor has neither sent bytes nor ended the connection since the last read.
    ///
    /// Bytes that arrive on an idle connection belong to no call.
    var isQuiet: Bool {
        var byte: UInt8 = 0
        return recv(socket, &byte, 1, relay_peek) < 0 && Self.mayGoOn
    }

    /// Whether the TLS layer holds received bytes, which epoll does not see.
    ///
    /// Call it only after a successful read: libcurl frees OpenSSL's object when it closes the connection.
    var hasBufferedBytes: Bool { tls.map { SSL_has_pending($0) == 1 } ?? false }

    /// Whether the vendor ended the connection in order. With TLS, an end without the alert `close_notify` may be a cut
    /// by anybody in between (RFC 9112, section 9.8), which libcurl 7.88 reports as any other end.
    ///
    /// Call it only after a read that found the end.
    var hasOrderlyEnd: Bool { tls.map(Self.isEnded) ?? true }

    /// Whether `close_notify` has arrived.
    static func isEnded(_ tls: OpaquePointer) -> Bool { SSL_get_shutdown(tls) & SSL_RECEIVED_SHUTDOWN != 0 }

    /// Whether more bytes may be read although epoll does not report any.
    var mayReadMore: Bool { hasBufferedBytes || hasHiddenBuffer }

    /// Whether the last system call failed only because it could not proceed yet.
    private static var mayGoOn: Bool { errno == EAGAIN || errno == EINTR }

    /// Starts or stops reading. While reading is stopped, neither `canRead` nor `canWrite` is called. Afterwards, call
    /// `write` if bytes are left.
    func reads(_ isWanted: Bool) { watch(isWanted ? EventLoop.readEvents : 0) }

    private func watch(_ events: UInt32) {
        guard events != watched, socket >= 0 else { return }
        if watched == 0 {
            loop.watch(socket, self, for: events)
        } else if events == 0 {
            loop.forget(socket)
        } else {
            loop.change(socket, to: events)
        }
        watched = events
    }

    func ready(_ events: UInt32) {
        guard let user else { return origin.drop(self) }
        if events & EventLoop.sendEvents != 0 {
            watch(EventLoop.readEvents)
            user.canWrite()
        }
        if events & ~EventLoop.sendEvents != 0 { self.user?.canRead() }
    }

    // MARK: Time

    func arm(at deadline: LoopTime) { loop.arm(timer, at: deadline) }
    func disarm() { loop.disarm(timer) }

    func timerFired() { user?.timerFired() }
}

/// The failure of a libcurl call, with libcurl's error code.
struct CurlFailure: Error { let code: CURLcode }

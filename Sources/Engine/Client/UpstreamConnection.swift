import CCurl
import CLinux
import Glibc

/// Told of what happens on its connection.
protocol ConnectionUser: AnyObject {
    /// It is there, or cannot be had.
    func connected(_ code: CURLcode)
    /// There is something to read, or the end.
    func canRead()
    /// More can be written, after `write` has taken too little.
    func canWrite()
    func timerFired()
}

/// A connection to a vendor that libcurl makes: names, proxies and TLS are its matter. HTTP on it is somebody else's,
/// one call after the other. Without TLS libcurl's part ends there, with its memory of some 10 KB.
///
/// Only its loop's thread touches it.
final class UpstreamConnection: CurlUser, Watcher, TimerTarget {
    enum Reading {
        case bytes(Int)
        /// Nothing is there yet.
        case nothing
        case end
        case broken(CURLcode)
    }

    /// The connections to the same origin, among which this one waits when nobody uses it.
    let origin: OriginConnections
    /// The time at which this connection became idle.
    var idleSince = LoopTime.distantPast
    /// The position among the idle connections.
    var idlePlace = 0
    private let hasTLS: Bool
    private unowned let client: CurlClient
    private let loop: EventLoop
    /// Nil: the socket is this connection's own.
    private var handle: CurlHandle?
    private lazy var timer = Timer(self)
    /// Nil: nobody uses it.
    unowned var user: (any ConnectionUser)?
    private var socket: Int32 = -1
    /// The events that epoll is to tell; 0: it does not watch.
    private var watched: UInt32 = 0
    private var isClosed = false

    init?(to endpoint: Endpoint, _ form: DirectForm, for user: any ConnectionUser, _ origin: OriginConnections) {
        let client = origin.pool.client
        guard let handle = CurlHandle(client, isConnection: true) else { return nil }
        self.handle = handle
        self.origin = origin
        hasTLS = form.hasTLS
        self.client = client
        self.user = user
        loop = client.loop
        origin.willOpen()
        handle.user = self
        handle.use(endpoint)
        // Of a buffer that it makes for itself, and needs only for a proxy's answer.
        _ = relay_curl_set_long(handle.easy, CURLOPT_BUFFERSIZE, 1_024)
        origin.multis.next().start(handle)
    }

    var held: Int32 { 0 }
    var hasEndedEarly: Bool { false }

    func finish(_ code: CURLcode) {
        if code == CURLE_OK, let handle {
            var found: curl_socket_t = CURL_SOCKET_BAD
            guard relay_curl_socket(handle.easy, &found) == CURLE_OK, found != CURL_SOCKET_BAD else {
                return user?.connected(CURLE_COULDNT_CONNECT) ?? ()
            }
            socket = found
            client.handOver(found)
            if hasTLS {
                _ = relay_curl_set_long(handle.easy, CURLOPT_BUFFERSIZE, origin.readBytes)
            } else {
                client.keep(found)
                handle.multi?.remove(handle)
                self.handle = nil
            }
            watch(EventLoop.readEvents)
        }
        user?.connected(code)
    }

    /// Closes it at once. Not in a callback of libcurl's.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        user = nil
        watch(0)
        loop.remove(timer)
        if let handle { handle.multi?.remove(handle) } else { client.closeSocket(socket) }
        origin.hasClosed()
    }

    // MARK: Bytes

    /// - Returns: the count that was taken, 0 if there is no room yet: `canWrite` is called then.
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

    /// After a system call that failed: it has to wait, and the connection is well.
    private static var mayGoOn: Bool { errno == EAGAIN || errno == EINTR }

    /// False: it is left alone, whatever comes.
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

/// libcurl's code of a call that failed.
struct CurlFailure: Error { let code: CURLcode }

import CCurl
import CLinux

/// A watcher that tells libcurl when a socket is ready.
final class SocketWatcher: Watcher {
    private let descriptor: Int32
    private let loop: EventLoop
    private unowned var multi: CurlMulti?
    private var wanted: UInt32 = 0
    private var registered: UInt32 = 0

    init(_ socket: Int32, _ loop: EventLoop) {
        descriptor = socket
        self.loop = loop
    }

    /// Sets the events that libcurl waits for on this socket, by a `CURL_POLL_` constant.
    func want(_ what: Int32, _ multi: CurlMulti) {
        self.multi = multi
        wanted = 0
        if what == CURL_POLL_IN || what == CURL_POLL_INOUT { wanted |= EPOLLIN.rawValue }
        if what == CURL_POLL_OUT || what == CURL_POLL_INOUT { wanted |= EPOLLOUT.rawValue }
        if wanted == 0 || wanted == registered { return }
        if registered == 0 {
            loop.watch(descriptor, self, for: wanted)
        } else {
            loop.change(descriptor, to: wanted)
        }
        registered = wanted
    }

    func unwatch() {
        if registered != 0 { loop.forget(descriptor) }
        registered = 0
    }

    func ready(_ events: UInt32) {
        if wanted == 0 { unwatch() } else { multi?.ready(descriptor, events) }
    }
}

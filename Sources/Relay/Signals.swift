import Glibc

/// The process's signals, taken by its main thread only.
enum Signals {
    /// Before any other thread starts: they inherit what is blocked.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        var set = ending
        sigaddset(&set, SIGHUP)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Returns at the first SIGTERM or SIGINT; calls `onHangUp` at each SIGHUP before.
    static func waitForEnd(onHangUp: () -> Void) {
        var set = ending
        sigaddset(&set, SIGHUP)
        while true {
            var number: Int32 = 0
            guard sigwait(&set, &number) == 0 else { continue }
            if number != SIGHUP { return }
            onHangUp()
        }
    }

    /// True if another one comes within `milliseconds`.
    static func comesAgain(within milliseconds: Int) -> Bool {
        var set = ending
        var time = timespec(tv_sec: 0, tv_nsec: milliseconds * 1_000_000)
        return sigtimedwait(&set, nil, &time) > 0
    }

    private static var ending: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        return set
    }
}

import Glibc

/// The signals that end the process or reload its settings. Only the main thread receives them.
enum Signals {
    /// Blocks SIGTERM, SIGINT and SIGHUP, and ignores SIGPIPE. Call this method before any other thread starts.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        var set = ending
        sigaddset(&set, SIGHUP)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for a SIGTERM or SIGINT. Until then, calls `onHangUp` for each SIGHUP.
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

    /// Waits at most `milliseconds` for another SIGTERM or SIGINT. Returns whether one arrived.
    static func arrivesAgain(within milliseconds: Int) -> Bool {
        var set = ending
        var time = timespec(tv_sec: 0, tv_nsec: milliseconds * 1_000_000)
        return sigtimedwait(&set, nil, &time) > 0
    }

    /// Whether a SIGTERM or SIGINT has arrived that the process has not handled yet.
    static var isEndWanted: Bool {
        var set = sigset_t()
        sigpending(&set)
        return sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1
    }

    private static var ending: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        return set
    }
}

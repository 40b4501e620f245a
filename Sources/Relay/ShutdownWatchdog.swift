import Engine
import Glibc
import Shared
import Synchronization

/// A watchdog that ends the process at a deadline, even if the event loops or the main thread hang.
final class ShutdownWatchdog: Sendable {
    /// The exit status of the process after a hang: `EX_SOFTWARE` of sysexits.h, an internal error.
    static let status: Int32 = 70

    /// The time for the rest of the shutdown after requests were cut, in seconds. In this time the relay settles limits
    /// and writes the log.
    static let graceSeconds = 2.0

    private let thread = Worker(bound: 1)
    private let deadline = Atomic(LoopTime.distantFuture)
    private let log: Log

    /// Creates the watchdog with its thread. The thread starts now, since the system may refuse a new thread at
    /// shutdown.
    init(_ log: Log) { self.log = log }

    /// Sets the deadline at which the process ends. A later call can only make the deadline earlier.
    func comes(withinSeconds seconds: Double) {
        let wanted = LoopTime.current() + UInt64(seconds * 1e9)
        let isFirst = deadline.load(ordering: .relaxed) == .distantFuture
        if wanted < deadline.load(ordering: .relaxed) { deadline.store(wanted, ordering: .relaxed) }
        if isFirst { thread.begin { self.waitAndEnd() } }
    }

    private func waitAndEnd() {
        while LoopTime.current() < deadline.load(ordering: .relaxed) { usleep(10_000) }
        log.error("shutdown timed out; killing the process")
        Self.end(log)
    }

    /// Ends the process at once, without the exit handlers that `exit` runs, since they may wait for hanging threads.
    static func end(_ log: Log) -> Never {
        log.flush(seconds: 1)
        _exit(status)
    }
}

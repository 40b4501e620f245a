import Engine
import Glibc
import Shared
import Synchronization

/// A watchdog that ends the process at a deadline, even if threads hang.
final class ShutdownWatchdog: Sendable {
    /// The exit status of the process after a hang: `EX_SOFTWARE` of sysexits.h, an internal error.
    static let status: Int32 = 70

    /// The time for the rest of the shutdown after the last requests were stopped, in seconds.
    static let graceSeconds = 2.0

    /// The time to write the last line of the log, in seconds.
    private static let logSeconds = 2.0

    private let thread = Worker(bound: 1)
    private let deadline = Atomic(LoopTime.distantFuture)
    private let log: Log

    /// Creates the watchdog and starts its thread.
    init(_ log: Log) { self.log = log }

    /// Sets the deadline at which the process ends. A later call can only make the deadline earlier.
    func comes(withinSeconds seconds: Double) {
        let wanted = LoopTime.current() + UInt64(seconds * 1e9)
        let before = deadline.load(ordering: .relaxed)
        guard wanted < before else { return }
        Self.setAlarm(withinSeconds: seconds + Self.logSeconds)
        deadline.store(wanted, ordering: .relaxed)
        if before == .distantFuture { thread.begin { self.waitAndEnd() } }
    }

    /// Ends the process by a signal: a thread that hangs may hold a lock that the watchdog needs to log or to allocate.
    private static func setAlarm(withinSeconds seconds: Double) {
        signal(SIGALRM) { _ in _exit(ShutdownWatchdog.status) }
        alarm(UInt32(seconds.rounded(.up)))
    }

    private func waitAndEnd() {
        while LoopTime.current() < deadline.load(ordering: .relaxed) { usleep(10_000) }
        log.error("shutdown timed out; killing the process")
        Self.end(log)
    }

    /// Ends the process at once, without the exit handlers that `exit` runs.
    static func end(_ log: Log) -> Never {
        log.flush(seconds: 1)
        _exit(status)
    }
}

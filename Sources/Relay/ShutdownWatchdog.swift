import Engine
import Glibc
import Shared
import Synchronization

/// Ends the process at a deadline, even if its loops or its main thread hang.
final class ShutdownWatchdog: Sendable {
    /// The exit status `EX_SOFTWARE` of sysexits.h: the relay itself has failed.
    static let status: Int32 = 70

    /// The time after the requests' shutdown time to cut requests, settle limits and write the log, in seconds.
    static let graceSeconds = 2.0

    private let thread = Worker(bound: 1)
    private let deadline = Atomic(LoopTime.distantFuture)
    private let log: Log

    /// Creates the thread at once, since at shutdown no thread may be available.
    init(_ log: Log) { self.log = log }

    /// Sets the deadline. A second call can only bring it forward.
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

    /// Ends the process without the exit handlers of `exit`, which may wait for other threads.
    static func end(_ log: Log) -> Never {
        log.flush(seconds: 1)
        _exit(status)
    }
}

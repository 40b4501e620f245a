import Engine
import Glibc
import Shared
import Synchronization

/// Ends the process at a given time, whatever its loops and its main thread do then.
final class LastExit: Sendable {
    /// `EX_SOFTWARE` of sysexits.h: the relay itself has failed.
    static let status: Int32 = 70

    /// The time that is left to the process once requests had theirs: to cut them, to settle, and to write the log.
    static let graceSeconds = 2.0

    private let thread = Worker(bound: 1)
    private let deadline = Atomic(LoopTime.distantFuture)
    private let log: Log

    /// Its thread is made at once: at the end there might be none to be had.
    init(_ log: Log) { self.log = log }

    /// At the latest; a second call can only shorten the time.
    func comes(withinSeconds seconds: Double) {
        let wanted = LoopTime.current() + UInt64(seconds * 1e9)
        let isFirst = deadline.load(ordering: .relaxed) == .distantFuture
        if wanted < deadline.load(ordering: .relaxed) { deadline.store(wanted, ordering: .relaxed) }
        if isFirst { thread.begin { self.waitAndEnd() } }
    }

    private func waitAndEnd() {
        while LoopTime.current() < deadline.load(ordering: .relaxed) { usleep(10_000) }
        log.error("the process is ended by force: it did not end in time")
        Self.end(log)
    }

    /// Without what `exit` would still call, which may wait for others.
    static func end(_ log: Log) -> Never {
        log.flush(seconds: 1)
        _exit(status)
    }
}

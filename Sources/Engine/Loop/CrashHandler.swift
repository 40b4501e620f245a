import CCrash
import CLinux
import Glibc

/// The handler for fatal signals. It writes one line into the log before the process ends.
package enum CrashHandler {
    /// The signals for faults of the process itself, such as an invalid memory access.
    static let signals: [(number: Int32, name: StaticString)] = [
        (SIGILL, "SIGILL"), (SIGTRAP, "SIGTRAP"), (SIGABRT, "SIGABRT"), (SIGBUS, "SIGBUS"), (SIGFPE, "SIGFPE"),
        (SIGSEGV, "SIGSEGV"),
    ]

    /// Installs the crash handler, which writes one line to `descriptor` when a fatal signal ends the process.
    ///
    /// Builds with a sanitizer have no crash handler. A line of more than 512 bytes is not written.
    /// - Parameters:
    ///   - timeOffset: the index, in the line, of the 24 bytes for the time of the crash.
    ///   - line: appends the line for a signal to `buffer`; called during `install`, once for each signal.
    package static func install(
        writingTo descriptor: Int32,
        timeOffset: Int,
        line: (_ signal: StaticString, _ buffer: inout ByteBuffer) -> Void
    ) {
        guard !relay_is_sanitized() else { return }
        for signal in signals {
            var buffer = ByteBuffer()
            line(signal.name, &buffer)
            let bytes = buffer.bytes
            _ = relay_crash_prepare(signal.number, descriptor, bytes.baseAddress, bytes.count, timeOffset)
        }
    }

    /// Runs `work` on the calling thread, with an extra stack for signal handlers.
    package static func withSignalStack(_ work: () -> Void) {
        guard !relay_is_sanitized() else { return work() }
        relay_crash_add_stack()
        work()
        relay_crash_free_stack()
    }
}

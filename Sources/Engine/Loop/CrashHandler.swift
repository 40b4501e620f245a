import CCrash
import CLinux
import Glibc

/// The signals of faults in the process itself, and the line that they leave in the log.
package enum CrashHandler {
    /// The signals by which a fault ends a process.
    static let signals: [(number: Int32, name: StaticString)] = [
        (SIGILL, "SIGILL"), (SIGTRAP, "SIGTRAP"), (SIGABRT, "SIGABRT"), (SIGBUS, "SIGBUS"), (SIGFPE, "SIGFPE"),
        (SIGSEGV, "SIGSEGV"),
    ]

    /// Arranges for one line to be written to `descriptor` when a fault ends the process. The exit status stays that of
    /// the signal.
    ///
    /// Sanitizers report faults themselves, so nothing is changed in their builds. Lines of more than 512 bytes are not
    /// written.
    /// - Parameters:
    ///   - timeOffset: the index in the line of the 24 bytes that the time of the crash replaces.
    ///   - line: appends the line for the signal with the given name.
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

    /// Runs the work of the calling thread with a second stack, so that the crash handler can run even after a stack
    /// overflow.
    package static func withSignalStack(_ work: () -> Void) {
        guard !relay_is_sanitized() else { return work() }
        relay_crash_add_stack()
        work()
        relay_crash_free_stack()
    }
}

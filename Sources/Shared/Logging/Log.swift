import Engine
import Synchronization

/// The ordinary log: one line per event, as text or JSON. Writing a line never waits for the sink: a thread of its own
/// writes what has gathered, and what does not fit the buffer meanwhile is dropped and counted.
package final class Log: Sendable {
    private let lowest: Atomic<Int>
    private let format: LogFormat
    private let sink: LogSink

    /// - Parameters:
    ///   - descriptor: where lines go; stays open as long as the log lives.
    ///   - capacityBytes: what may wait for the sink.
    package init(level: LogLevel, format: LogFormat, descriptor: Int32 = 2, capacityBytes: Int = 1 << 20) {
        lowest = Atomic(level.rank)
        self.format = format
        sink = LogSink(format: format, descriptor: descriptor, capacityBytes: capacityBytes)
        sink.start()
    }

    deinit { sink.stop() }

    package func isOn(_ level: LogLevel) -> Bool { level.rank >= lowest.load(ordering: .relaxed) }

    /// From now on.
    package func use(_ level: LogLevel) { lowest.store(level.rank, ordering: .relaxed) }

    /// `message` says what happened and is the same for all such events; what differs goes into fields.
    package func write(_ level: LogLevel, _ message: StaticString, _ fields: (inout LogLine) -> Void = { _ in }) {
        guard isOn(level) else { return }
        var line = line(level, message)
        fields(&line)
        write(line)
    }

    /// A line for `write`, of a level that is on: for who would copy what goes into its fields to have it in a closure.
    package func line(_ level: LogLevel, _ message: StaticString) -> LogLine { LogLine(level, message, format) }

    package func write(_ line: consuming LogLine) {
        line.end()
        sink.take(line.buffer.bytes)
    }

    package func debug(_ message: StaticString, _ fields: (inout LogLine) -> Void = { _ in }) {
        write(.debug, message, fields)
    }

    package func info(_ message: StaticString, _ fields: (inout LogLine) -> Void = { _ in }) {
        write(.info, message, fields)
    }

    package func warning(_ message: StaticString, _ fields: (inout LogLine) -> Void = { _ in }) {
        write(.warning, message, fields)
    }

    package func error(_ message: StaticString, _ fields: (inout LogLine) -> Void = { _ in }) {
        write(.error, message, fields)
    }

    /// Waits until all lines so far are written, but no longer than `seconds`: a sink that is stuck keeps nobody from
    /// leaving. Blocks: for the end of the process, not for an event loop. False: the time was over.
    @discardableResult
    package func flush(seconds: Int = 2) -> Bool { sink.flush(seconds: seconds) }

    /// Leaves a last line if a fault ends the process: the signal, and the version of the program.
    package func writeOnCrash(version: String) {
        sink.writeOnCrash { signal in
            var line = line(.error, "the process crashed")
            line.add("signal", word: signal)
            line.add("version", version)
            return line
        }
    }

    /// Lines that did not fit, so far.
    package var droppedLines: Int { sink.dropped.load(ordering: .relaxed) }
}

extension Log: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.family("relay_log_lines_dropped_total", .counter, "Log lines that found no room.")
        text.sample(value: droppedLines)
    }
}

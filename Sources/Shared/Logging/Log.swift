import Engine
import Synchronization

/// The log of the process: one line for each event, as text or JSON.
///
/// Writing a line never waits. Lines that do not fit into the buffer are dropped and counted.
package final class Log: Sendable {
    private let lowest: Atomic<Int>
    private let format: LogFormat
    private let sink: LogSink

    /// Creates a log and starts the thread that writes its lines.
    /// - Parameters:
    ///   - descriptor: the file descriptor for the lines; keep it open as long as the log is used.
    ///   - capacityBytes: the size of the buffer for lines that are not written yet.
    package init(level: LogLevel, format: LogFormat, descriptor: Int32 = 2, capacityBytes: Int = 1 << 20) {
        lowest = Atomic(level.rank)
        self.format = format
        sink = LogSink(format: format, descriptor: descriptor, capacityBytes: capacityBytes)
        sink.start()
    }

    deinit { sink.stop() }

    package func isOn(_ level: LogLevel) -> Bool { level.rank >= lowest.load(ordering: .relaxed) }

    /// Changes the lowest level of the lines that are logged.
    package func use(_ level: LogLevel) { lowest.store(level.rank, ordering: .relaxed) }

    /// Writes a line. Values that vary belong in fields, not in `message`.
    package func write(_ level: LogLevel, _ message: StaticString, _ fields: (inout LogLine) -> Void = { _ in }) {
        guard isOn(level) else { return }
        var line = line(level, message)
        fields(&line)
        write(line)
    }

    /// Returns a new log line for `write`. Call `isOn` first: this function does not check the level.
    package func line(_ level: LogLevel, _ message: StaticString) -> LogLine { LogLine(level, message, format: format) }

    package func write(_ line: consuming LogLine) {
        line.end()
        sink.keep(line.buffer.bytes)
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

    /// Waits until all lines so far are written. Returns false if they are not written within `seconds`.
    ///
    /// Blocks the thread: call it only when the process ends.
    @discardableResult
    package func flush(seconds: Int = 2) -> Bool { sink.flush(seconds: seconds) }

    /// Makes the process write a last log line if it crashes.
    package func writeOnCrash(version: String) {
        sink.writeOnCrash { signal in
            var line = line(.error, "the process crashed")
            line.add("signal", word: signal)
            line.add("version", version)
            return line
        }
    }

    /// The number of lines that were dropped because the buffer was full.
    package var droppedLines: Int { sink.dropped.load(ordering: .relaxed) }
}

extension Log: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.counter("relay_log_lines_dropped_total", "Log lines that were dropped because the queue was full.")
        text.sample(value: droppedLines)
    }
}

package enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case debug
    case info
    case warning
    case error

    package static func < (one: LogLevel, other: LogLevel) -> Bool { one.rank < other.rank }

    var rank: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        }
    }
}

package enum LogFormat: String, CaseIterable, Sendable {
    case text
    case json
}

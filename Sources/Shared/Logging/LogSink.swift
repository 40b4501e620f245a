import Engine
import Glibc
import Synchronization

/// The buffer of log lines, and the thread that writes them.
///
/// `@unchecked`: the state is protected by a lock, and everything else is constant.
final class LogSink: @unchecked Sendable {
    private final class State {
        var buffer = ByteBuffer()
        var timestamp = Timestamp()
        var droppedLines = 0
        /// The signals on which callers of `flush` wait until all lines are written.
        var flushes: [Signal] = []
        var isStopping = false
    }

    /// The number of lines that were dropped since the process started.
    let dropped = Atomic<Int>(0)
    private let state = Lock(State())
    private let signal = Signal()
    private let format: LogFormat
    private let descriptor: Int32
    private let capacityBytes: Int
    /// The time for which the writing thread collects lines, so that one write contains many lines.
    private static let gatheringNanoseconds: UInt64 = 100_000_000
    private static let manyBytes = 256 << 10
    /// The largest buffer that is kept for reuse, in bytes.
    private static let keptBytes = 64 << 10

    init(format: LogFormat, descriptor: Int32, capacityBytes: Int) {
        self.format = format
        self.descriptor = descriptor
        self.capacityBytes = capacityBytes
    }

    /// Starts the thread that writes the lines. The thread keeps this object alive until `stop`.
    func start() {
        let worker = Worker()
        worker.begin(run)
        worker.finish()
    }

    /// Stops the writing thread after it has written the buffered lines.
    func stop() {
        state.withLock { $0.isStopping = true }
        signal.wake()
    }

    /// Appends a line to the buffer, or drops it if the buffer is full. `rest` is the line without its time.
    func keep(_ rest: UnsafeRawBufferPointer) {
        let isDue = state.withLock { state in
            let before = state.buffer.count
            guard state.buffer.count + rest.count + 64 <= capacityBytes else {
                state.droppedLines += 1
                dropped.add(1, ordering: .relaxed)
                return false
            }
            append(rest, state)
            return before == 0 || before < LogSink.manyBytes && state.buffer.count >= LogSink.manyBytes
        }
        if isDue { signal.wake() }
    }

    func flush(seconds: Int) -> Bool {
        let flushed = Signal()
        state.withLock { $0.flushes.append(flushed) }
        signal.wake()
        return flushed.wait(until: .current().adding(seconds: seconds))
    }

    private func run() {
        var batch = ByteBuffer()
        while true {
            signal.wait()
            let isUrgent = state.withLock { !$0.flushes.isEmpty || $0.isStopping }
            if !isUrgent { signal.wait(until: .current() + LogSink.gatheringNanoseconds) }
            let (flushes, isStopping) = exchange(&batch)
            // If the output is gone, there is no way to report it.
            _ = writeAll(batch.bytes, to: descriptor)
            if batch.count > LogSink.keptBytes { batch.release() } else { batch.removeAll() }
            for flushed in flushes { flushed.wake() }
            if isStopping { return }
        }
    }

    /// Moves the buffered lines into `batch`, which must be empty. Adds a line with the number of dropped lines, if
    /// any.
    /// - Returns: the signals of the `flush` calls that wait for these lines, and whether the thread must stop.
    private func exchange(_ batch: inout ByteBuffer) -> (flushes: [Signal], isStopping: Bool) {
        state.withLock { state in
            if state.droppedLines > 0 {
                var line = LogLine(.warning, "log lines dropped", format: format)
                line.add("count", state.droppedLines)
                line.end()
                append(line.buffer.bytes, state)
                state.droppedLines = 0
            }
            swap(&state.buffer, &batch)
            defer { state.flushes = [] }
            return (state.flushes, state.isStopping)
        }
    }

    /// Makes the process write a last log line if it crashes. Lines in the buffer are then lost.
    func writeOnCrash(_ line: (_ signal: StaticString) -> LogLine) {
        let timeOffset = format.beforeTime.utf8CodeUnitCount
        CrashHandler.install(writingTo: descriptor, timeOffset: timeOffset) { signal, buffer in
            var line = line(signal)
            line.end()
            var timestamp = Timestamp()
            append(line.buffer.bytes, at: Timestamp.now(), by: &timestamp, to: &buffer)
        }
    }

    private func append(_ rest: UnsafeRawBufferPointer, _ state: State) {
        append(rest, at: Timestamp.now(), by: &state.timestamp, to: &state.buffer)
    }

    private func append(
        _ rest: UnsafeRawBufferPointer,
        at milliseconds: Int,
        by timestamp: inout Timestamp,
        to buffer: inout ByteBuffer
    ) {
        buffer.append(format.beforeTime)
        timestamp.append(milliseconds: milliseconds, to: &buffer)
        if format == .json { buffer.append(UInt8(ascii: "\"")) }
        buffer.append(rest)
    }
}

extension LogFormat {
    /// The beginning of each line in this format, up to the time.
    fileprivate var beforeTime: StaticString { self == .json ? "{\"time\":\"" : "" }
}

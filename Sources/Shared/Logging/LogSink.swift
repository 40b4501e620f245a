import Engine
import Glibc
import Synchronization

/// The buffer between those who log and the thread that writes.
///
/// `@unchecked`: the state is behind a lock, the rest is constant.
final class LogSink: @unchecked Sendable {
    private final class State {
        var buffer = ByteBuffer()
        var timestamp = Timestamp()
        var droppedLines = 0
        /// Of those who wait until all lines are written.
        var flushes: [Signal] = []
        var isStopping = false
    }

    /// Since the process started.
    let dropped = Atomic<Int>(0)
    private let state = Lock(State())
    private let signal = Signal()
    private let format: LogFormat
    private let descriptor: Int32
    private let capacityBytes: Int
    /// Lines wait so long for others, unless there are many: each write takes time from the loops.
    private static let gatheringNanoseconds: UInt64 = 100_000_000
    private static let manyBytes = 256 << 10
    /// A buffer that grew beyond this is given back once written.
    private static let keptBytes = 64 << 10

    init(format: LogFormat, descriptor: Int32, capacityBytes: Int) {
        self.format = format
        self.descriptor = descriptor
        self.capacityBytes = capacityBytes
    }

    /// Starts the writing thread; it keeps the sink alive until `stop`.
    func start() {
        let worker = Worker()
        worker.begin(run)
        worker.finish()
    }

    /// Writes the buffered lines first.
    func stop() {
        state.withLock { $0.isStopping = true }
        signal.wake()
    }

    /// `rest` is a line without its time.
    func take(_ rest: UnsafeRawBufferPointer) {
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

    /// The writing thread: waits for a line, lets more gather, writes them all.
    private func run() {
        var batch = ByteBuffer()
        while true {
            signal.wait()
            let isUrgent = state.withLock { !$0.flushes.isEmpty || $0.isStopping }
            if !isUrgent { signal.wait(until: .current() + LogSink.gatheringNanoseconds) }
            let (flushes, isStopping) = exchange(&batch)
            // Once the sink is gone, there is nowhere to say so.
            _ = writeAll(batch.bytes, to: descriptor)
            if batch.count > LogSink.keptBytes { batch.release() } else { batch.removeAll() }
            for flushed in flushes { flushed.wake() }
            if isStopping { return }
        }
    }

    /// Takes all lines against an empty buffer. Lines that were dropped while the last batch was written are reported
    /// behind those that came before them.
    private func exchange(_ batch: inout ByteBuffer) -> (flushes: [Signal], isStopping: Bool) {
        state.withLock { state in
            if state.droppedLines > 0 {
                var line = LogLine(.warning, "log lines dropped", format)
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

    /// Leaves a line of its own in the log if a fault ends the process. Lines that wait for the writing thread are lost then.
    ///
    /// - Parameter line: makes the line of the signal that has this name.
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
    /// The beginning of a line, up to its time.
    fileprivate var beforeTime: StaticString { self == .json ? "{\"time\":\"" : "" }
}

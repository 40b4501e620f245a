import Engine
import Glibc
import Synchronization

/// The buffer between those who log and the thread that writes.
///
/// `@unchecked`: the state is behind a lock, semaphores are made for several threads, the rest is constant.
final class LogSink: @unchecked Sendable {
    private final class State {
        var buffer = ByteBuffer()
        var timestamp = Timestamp()
        var droppedLines = 0
        var waitingFlushes = 0
        var isStopping = false
    }

    /// Since the process started.
    let dropped = Atomic<Int>(0)
    private let state = Lock(State())
    private let wake = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private let flushed = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private let format: LogFormat
    private let descriptor: Int32
    private let capacityBytes: Int
    private static let gatheringMicroseconds: UInt32 = 20_000
    /// A buffer that grew beyond this is given back once written.
    private static let keptBytes = 64 << 10

    init(format: LogFormat, descriptor: Int32, capacityBytes: Int) {
        self.format = format
        self.descriptor = descriptor
        self.capacityBytes = capacityBytes
        sem_init(wake, 0, 0)
        sem_init(flushed, 0, 0)
    }

    deinit {
        sem_destroy(wake)
        sem_destroy(flushed)
        wake.deallocate()
        flushed.deallocate()
    }

    /// Starts the writing thread; it keeps the sink alive until `stop`.
    func start() {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)  // inherited: signals are for other threads
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(&thread, nil, writeLines, context.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            context.release()
            return
        }
        pthread_detach(thread)
    }

    /// What is buffered is still written.
    func stop() {
        state.withLock { $0.isStopping = true }
        sem_post(wake)
    }

    /// `rest` is a line without its time.
    func take(_ rest: UnsafeRawBufferPointer) {
        let isFirst = state.withLock { state in
            let wasEmpty = state.buffer.isEmpty
            guard state.buffer.count + rest.count + 64 <= capacityBytes else {
                state.droppedLines += 1
                dropped.add(1, ordering: .relaxed)
                return false
            }
            append(rest, state)
            return wasEmpty
        }
        if isFirst { sem_post(wake) }
    }

    func flush(seconds: Int) -> Bool {
        state.withLock { $0.waitingFlushes += 1 }
        sem_post(wake)
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += seconds
        while sem_timedwait(flushed, &deadline) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }

    /// The writing thread: waits for a line, lets more gather, writes them all.
    fileprivate func run() {
        var batch = ByteBuffer()
        while true {
            while sem_wait(wake) != 0 {}
            let isUrgent = state.withLock { $0.waitingFlushes > 0 || $0.isStopping }
            if !isUrgent { usleep(LogSink.gatheringMicroseconds) }
            let (flushes, isStopping) = exchange(&batch)
            write(batch.bytes)
            if batch.count > LogSink.keptBytes { batch.release() } else { batch.removeAll() }
            for _ in 0..<flushes { sem_post(flushed) }
            if isStopping { return }
        }
    }

    /// Takes all lines against an empty buffer. Lines that were dropped while the last batch was written are reported
    /// behind those that came before them.
    private func exchange(_ batch: inout ByteBuffer) -> (flushes: Int, isStopping: Bool) {
        state.withLock { state in
            if state.droppedLines > 0 {
                var line = LogLine(.warning, "log lines dropped", format)
                line.add("count", state.droppedLines)
                line.end()
                append(line.buffer.bytes, state)
                state.droppedLines = 0
            }
            swap(&state.buffer, &batch)
            defer { state.waitingFlushes = 0 }
            return (state.waitingFlushes, state.isStopping)
        }
    }

    private func append(_ rest: UnsafeRawBufferPointer, _ state: State) {
        if format == .json { state.buffer.append("{\"time\":\"") }
        state.timestamp.append(milliseconds: Timestamp.now(), to: &state.buffer)
        if format == .json { state.buffer.append(UInt8(ascii: "\"")) }
        state.buffer.append(rest)
    }

    /// To the end, or until the sink is gone: then there is nowhere to say so.
    private func write(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, base, rest.count)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wanted, 1, -1)
            } else if errno != EINTR {
                return
            }
        }
    }
}

/// The writing thread's entry.
private func writeLines(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<LogSink>.fromOpaque(context).takeRetainedValue().run()
    return nil
}

import Glibc
import Synchronization

/// A thread for jobs that block or take long. It runs one job after the other.
///
/// `@unchecked`: `thread` is set once, before any other thread has the worker.
package final class Worker: @unchecked Sendable {
    private struct State {
        var queue: [Job] = []
        var isEnding = false
    }

    private let state = Lock(State())
    private let signal = Signal()
    private var thread = pthread_t()
    private let bound: Int

    private typealias Job = @Sendable () -> Void

    /// Starts the thread, which runs until `stop`, `join` or `finish`.
    /// - Parameter bound: the largest number of waiting jobs.
    package init(bound: Int = 1) {
        self.bound = bound
        let code = pthread_create(&thread, nil, runWorker, Unmanaged.passRetained(self).toOpaque())
        precondition(code == 0, "no thread at start")
    }

    /// Ends the thread after the jobs that it has already taken. Drops the other jobs. Blocks until the thread
    /// has ended.
    package func stop() {
        state.withLock { $0.queue.removeAll() }
        join()
    }

    /// Ends the thread and waits until all its jobs are done. Blocks.
    package func join() {
        end()
        pthread_join(thread, nil)
    }

    /// Makes the thread end after its jobs, and returns at once.
    package func finish() {
        end()
        pthread_detach(thread)
    }

    private func end() {
        state.withLock { $0.isEnding = true }
        signal.wake()
    }

    /// Runs `work` on the worker's thread and returns its result. Call it on `loop`.
    ///
    /// Returns nil if the result did not arrive in time, too many jobs were waiting, or the task was cancelled. In
    /// these cases `work` is skipped if it has not begun.
    package func result<Result: Sendable>(
        on loop: EventLoop,
        withinNanoseconds time: UInt64,
        of work: @escaping @Sendable () -> Result
    ) async -> Result? {
        let wait = Wait<Result>(loop)
        let isTaken = begin {
            guard wait.isWanted.load(ordering: .relaxed) else { return }
            let result = work()
            loop.call { wait.end(result) }
        }
        guard isTaken else { return nil }
        return await wait.result(withinNanoseconds: time)
    }

    /// Schedules `work`. Drops `work` and returns false if too many jobs are waiting or the thread is ending.
    @discardableResult
    package func begin(_ work: @escaping @Sendable () -> Void) -> Bool {
        let isTaken = state.withLock { state in
            guard state.queue.count < bound, !state.isEnding else { return false }
            state.queue.append(work)
            return true
        }
        if isTaken { signal.wake() }
        return isTaken
    }

    fileprivate func run() {
        blockSignals()
        CrashHandler.withSignalStack {
            while var jobs = next() {
                // Each job is released right after it ran, with everything that it holds.
                jobs.reverse()
                while let job = jobs.popLast() { job() }
            }
        }
    }

    /// Waits for jobs and returns all that are waiting; nil if the thread must end.
    private func next() -> [Job]? {
        while true {
            let (jobs, isEnding) = state.withLock { state in
                defer { state.queue = [] }
                return (state.queue, state.isEnding)
            }
            if !jobs.isEmpty { return jobs }
            if isEnding { return nil }
            signal.wait()
        }
    }
}

/// Blocks all signals on the calling thread except those of `CrashHandler`.
private func blockSignals() {
    // The signals of `CrashHandler` report a fault of the calling thread itself.
    var signals = sigset_t()
    sigfillset(&signals)
    for fault in CrashHandler.signals { sigdelset(&signals, fault.number) }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
}

private func runWorker(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context { Unmanaged<Worker>.fromOpaque(context).takeRetainedValue().run() }
    return nil
}

/// The state of a task that waits on its loop for the result of a job.
///
/// `@unchecked`: only the loop's thread uses mutable state, except `isWanted`.
private final class Wait<Result: Sendable>: @unchecked Sendable {
    let isWanted = Atomic(true)
    private let loop: EventLoop
    private let waiter = Waiter()
    private var ended: Result?

    init(_ loop: EventLoop) { self.loop = loop }

    func result(withinNanoseconds time: UInt64) async -> Result? {
        loop.checkIsolated()
        if ended == nil { await loop.wait(for: waiter, until: loop.now + time) }
        isWanted.store(false, ordering: .relaxed)
        return ended
    }

    func end(_ result: Result) {
        ended = result
        waiter.wake()
    }
}

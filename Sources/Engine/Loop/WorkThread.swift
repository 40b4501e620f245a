import Glibc
import Synchronization

/// A thread for calls that block or take long, so that no loop has to. What is asked for is done in turn.
///
/// `@unchecked`: `queue` and `isStopping` are reached with the mutex held only.
package final class WorkThread: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var queue: [Work] = []
    private var isStopping = false
    private var thread = pthread_t()
    private let bound: Int

    private typealias Work = @Sendable () -> Void

    /// `bound`: of what may wait. The thread lasts until `stop`.
    package init(bound: Int) {
        self.bound = bound
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        let code = pthread_create(&thread, nil, runWorkThread, Unmanaged.passRetained(self).toOpaque())
        precondition(code == 0, "no thread for work at start")
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// What has begun is ended, the rest left.
    package func stop() {
        pthread_mutex_lock(mutex)
        isStopping = true
        queue.removeAll()
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
        pthread_join(thread, nil)
    }

    /// The result of `work`; nil when it was not there in time, too much waited already, or the task was cancelled. Work
    /// that nobody waits for any more is not begun. Called on `loop`.
    package func result<Result: Sendable>(
        on loop: EventLoop,
        withinNanoseconds time: UInt64,
        of work: @escaping @Sendable () -> Result
    ) async -> Result? {
        let wait = Wait<Result>(loop)
        let isTaken = append {
            guard wait.isWanted.load(ordering: .relaxed) else { return }
            let result = work()
            loop.call { wait.end(result) }
        }
        guard isTaken else { return nil }
        return await wait.result(withinNanoseconds: time)
    }

    /// Has `work` done some time, or not at all: when too much waits already, or the thread ends before.
    package func begin(_ work: @escaping @Sendable () -> Void) { _ = append(work) }

    private func append(_ work: @escaping Work) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard queue.count < bound, !isStopping else { return false }
        queue.append(work)
        pthread_cond_signal(condition)
        return true
    }

    fileprivate func run() {
        blockSignals()
        while let work = next() {
            for one in work { one() }
        }
    }

    /// All that waits; nil: the thread is to end.
    private func next() -> [Work]? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while queue.isEmpty, !isStopping { pthread_cond_wait(condition, mutex) }
        guard !isStopping else { return nil }
        defer { queue.removeAll() }
        return queue
    }
}

/// The calling thread takes no signals: they are for others.
func blockSignals() {
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
}

private func runWorkThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context { Unmanaged<WorkThread>.fromOpaque(context).takeRetainedValue().run() }
    return nil
}

/// A task's wait on its loop for a result.
///
/// `@unchecked`: only the loop's thread touches what changes, but `isWanted`.
private final class Wait<Result: Sendable>: TimerTarget, @unchecked Sendable {
    let isWanted = Atomic(true)
    private let loop: EventLoop
    private let waiter = Waiter()
    private lazy var timer = Timer(self)
    private var ended: Result?
    private var isLate = false

    init(_ loop: EventLoop) { self.loop = loop }

    func result(withinNanoseconds time: UInt64) async -> Result? {
        loop.checkIsolated()
        loop.arm(timer, at: loop.nowNanoseconds + time)
        while ended == nil, !isLate, !Task.isCancelled { await waiter.wait() }
        loop.remove(timer)
        isWanted.store(false, ordering: .relaxed)
        return ended
    }

    func end(_ result: Result) {
        ended = result
        waiter.wake()
    }

    func timerFired() {
        isLate = true
        waiter.wake()
    }
}

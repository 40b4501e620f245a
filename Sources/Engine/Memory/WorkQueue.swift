import Synchronization

/// A queue of long jobs for all requests, which one thread runs one after the other.
///
/// The queue is bounded by the number of jobs and by their bytes, and one owner has at most half of both. Jobs without
/// room wait in their order. A job that waits only for its owner's half does not delay the jobs of others. Used from
/// any thread.
package final class WorkQueue: Sendable {
    /// The most jobs in the queue at once.
    package static let maxJobs = 1_024
    /// The longest time that a job waits for room.
    static let roomNanoseconds: UInt64 = 10_000_000_000
    /// The longest time from a job's entry to its result.
    static let resultNanoseconds: UInt64 = 30_000_000_000

    /// The owner of the current task's jobs, which is its request; nil if they count for no owner.
    @TaskLocal static var owner: (any WorkOwner)?

    private let worker = Worker(bound: .max)
    private let room: WorkLoad
    private let state = Lock(State())

    fileprivate struct State {
        /// The sum of all jobs that have entered.
        var entered = WorkLoad()
        /// The sum of the jobs of each owner that has any.
        var owners: [MemoryHolder.Key: WorkLoad] = [:]
        /// The jobs that wait for room, the oldest first.
        var waiting: [WorkQueueEntry] = []
    }

    /// - Parameters:
    ///   - bytes: the most bytes that all jobs together may read. A longer job counts as half of this.
    ///   - jobs: the most jobs.
    package init(bytes: Int, jobs: Int = WorkQueue.maxJobs) { room = WorkLoad(jobs: jobs, bytes: bytes) }

    /// Returns when the current job is done. Waiting jobs are dropped.
    package func stop() { worker.stop() }

    /// The number of jobs that wait for room.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// The number of jobs that have entered and are not done.
    var enteredCount: Int { state.withLock { $0.entered.jobs } }

    /// Returns the result of `work`; nil if there was no room or no time for it, or if the task was cancelled. Work
    /// whose result is no longer wanted is not begun. Call it on `loop`.
    ///
    /// - Parameter bytes: the length of the data that the work reads.
    package func enqueuedResult<Result: Sendable>(
        ofBytes bytes: Int,
        on loop: EventLoop,
        of work: @escaping @Sendable () -> Result
    ) async -> Result? {
        loop.checkIsolated()
        let load = WorkLoad(jobs: 1, bytes: min(bytes, room.half.bytes))
        let position = WorkQueueEntry(load, of: Self.owner?.workOwner, in: self, on: loop)
        guard await enters(position) else { return nil }
        return await worker.result(on: loop, withinNanoseconds: Self.resultNanoseconds) {
            defer { self.leave(position) }
            return work()
        }
    }

    private func enters(_ position: WorkQueueEntry) async -> Bool {
        change { $0.waiting.append(position) }
        if isEntered(position) { return true }
        await position.waits(forNanoseconds: Self.roomNanoseconds)
        if isEntered(position), !Task.isCancelled { return true }
        leave(position)
        return false
    }

    private func isEntered(_ position: WorkQueueEntry) -> Bool { state.withLock { _ in position.phase == .entered } }

    /// Releases the room of a job, once.
    fileprivate func leave(_ position: WorkQueueEntry) {
        change { state in
            switch position.phase {
            case .waiting: state.waiting.removeAll { $0 === position }
            case .entered: state.remove(position)
            case .left: break
            }
            position.phase = .left
        }
    }

    /// Makes a change, and then lets waiting jobs enter that have room.
    private func change(_ change: (inout State) -> Void) {
        let entering = state.withLock { state in
            change(&state)
            return state.waiting.isEmpty ? [] : state.enter(into: room)
        }
        for position in entering { position.wake() }
    }
}

extension WorkQueue.State {
    /// Enters the waiting jobs that have room, in their order. Returns them.
    fileprivate mutating func enter(into room: WorkLoad) -> [WorkQueueEntry] {
        var (entering, staying): ([WorkQueueEntry], [WorkQueueEntry]) = ([], [])
        for (index, position) in waiting.enumerated() {
            guard (entered + position.load).fits(room) else {
                staying += waiting[index...]
                break
            }
            let own = position.owner.flatMap { owners[$0] } ?? WorkLoad()
            guard (own + position.load).fits(room.half) else {
                staying.append(position)
                continue
            }
            add(position)
            entering.append(position)
        }
        waiting = staying
        return entering
    }

    private mutating func add(_ position: WorkQueueEntry) {
        position.phase = .entered
        entered = entered + position.load
        if let owner = position.owner { owners[owner] = (owners[owner] ?? WorkLoad()) + position.load }
    }

    fileprivate mutating func remove(_ position: WorkQueueEntry) {
        entered = entered - position.load
        guard let owner = position.owner, let load = owners[owner] else { return }
        owners[owner] = load.jobs > position.load.jobs ? load - position.load : nil
    }
}

/// A request whose jobs count together with others of its caller or address.
protocol WorkOwner: AnyObject, Sendable {
    /// The key of the caller or address. Called on the request's loop.
    var workOwner: MemoryHolder.Key { get }
}

/// A number of jobs, and the bytes that they read.
private struct WorkLoad {
    var jobs = 0
    var bytes = 0

    var half: WorkLoad { WorkLoad(jobs: max(1, jobs / 2), bytes: bytes / 2) }

    func fits(_ room: WorkLoad) -> Bool { jobs <= room.jobs && bytes <= room.bytes }

    static func + (one: WorkLoad, other: WorkLoad) -> WorkLoad {
        WorkLoad(jobs: one.jobs + other.jobs, bytes: one.bytes + other.bytes)
    }

    static func - (one: WorkLoad, other: WorkLoad) -> WorkLoad {
        WorkLoad(jobs: one.jobs - other.jobs, bytes: one.bytes - other.bytes)
    }
}

/// The entry of one job in the queue. The last reference releases its room: a job whose result is not wanted is
/// dropped.
///
/// `@unchecked`: `phase` is protected by the queue's lock, and only the loop's thread uses other mutable state.
private final class WorkQueueEntry: TimerTarget, @unchecked Sendable {
    enum Phase {
        case waiting
        case entered
        case left
    }

    let load: WorkLoad
    let owner: MemoryHolder.Key?
    var phase = Phase.waiting
    private let queue: WorkQueue
    private let loop: EventLoop
    private let waiter = Waiter()
    private var isOver = false
    private lazy var timer = Timer(self)

    init(_ load: WorkLoad, of owner: MemoryHolder.Key?, in queue: WorkQueue, on loop: EventLoop) {
        self.load = load
        self.owner = owner
        self.queue = queue
        self.loop = loop
    }

    deinit { if phase == .entered { queue.leave(self) } }

    /// Returns when the job has entered, the time is over, or the task is cancelled.
    func waits(forNanoseconds time: UInt64) async {
        loop.arm(timer, at: loop.now + time)
        while !isOver, !Task.isCancelled { await waiter.wait() }
        loop.remove(timer)
    }

    /// Ends the wait. Can be called on any thread.
    func wake() { loop.call { self.timerFired() } }

    func timerFired() {
        isOver = true
        waiter.wake()
    }
}

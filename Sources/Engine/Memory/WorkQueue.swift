import Synchronization

/// A queue of long jobs, such as parsing large bodies. One thread runs the jobs one after the other. Any thread may use
/// the queue.
///
/// The queue limits the number of jobs and the bytes that the jobs read. One owner (a caller or an address) can use at
/// most half of both limits. Other jobs wait for room.
package final class WorkQueue: Sendable {
    package static let maxJobs = 1_024
    /// The longest time that a job waits for room in the queue.
    static let roomNanoseconds: UInt64 = 10_000_000_000
    /// The longest time from a job's entry into the queue to its result.
    static let resultNanoseconds: UInt64 = 30_000_000_000

    /// The request that the current task serves; nil if the task's jobs have no owner.
    @TaskLocal static var owner: (any WorkOwner)?

    private let worker = Worker(bound: .max)
    private let room: WorkLoad
    private let state = Lock(State())

    fileprivate struct State {
        /// The number of jobs that are in the queue or running, and their bytes.
        var entered = WorkLoad()
        /// The jobs in the queue and their bytes, for each owner that has jobs there.
        var owners: [MemoryHolder.Key: WorkLoad] = [:]
        /// The jobs that wait for room in the queue, oldest first.
        var waiting: [WorkQueueEntry] = []
    }

    /// Creates the queue and starts its thread.
    /// - Parameters:
    ///   - bytes: the largest number of bytes that all jobs in the queue together can read. A job that reads more than
    ///     half of this limit counts as half.
    ///   - jobs: the largest number of jobs in the queue.
    package init(bytes: Int, jobs: Int = WorkQueue.maxJobs) { room = WorkLoad(jobs: jobs, bytes: bytes) }

    /// Ends the queue's thread after the jobs that the thread has already taken. Drops the other jobs. Blocks until the
    /// thread has ended.
    package func stop() { worker.stop() }

    /// The number of jobs that wait for room in the queue.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// The number of jobs that are in the queue or running.
    var enteredCount: Int { state.withLock { $0.entered.jobs } }

    /// Runs `work` on the queue's thread and returns its result. Call it on `loop`.
    ///
    /// Returns nil if the queue had no room in time, the result did not arrive in time, or the task was cancelled. In
    /// these cases `work` is skipped if it has not begun.
    package func enqueuedResult<Result: Sendable>(
        ofBytes bytes: Int,
        on loop: EventLoop,
        of work: @escaping @Sendable () -> Result
    ) async -> Result? {
        loop.checkIsolated()
        let load = WorkLoad(jobs: 1, bytes: min(bytes, room.half.bytes))
        let entry = WorkQueueEntry(load, of: Self.owner?.workOwner, in: self, on: loop)
        guard await enters(entry, on: loop) else { return nil }
        return await worker.result(on: loop, withinNanoseconds: Self.resultNanoseconds) {
            defer { self.leave(entry) }
            return work()
        }
    }

    private func enters(_ entry: WorkQueueEntry, on loop: EventLoop) async -> Bool {
        change { $0.waiting.append(entry) }
        if isEntered(entry) { return true }
        await entry.waiter.wait(until: loop.now + Self.roomNanoseconds)
        if isEntered(entry), !Task.isCancelled { return true }
        leave(entry)
        return false
    }

    private func isEntered(_ entry: WorkQueueEntry) -> Bool { state.withLock { _ in entry.phase == .entered } }

    /// Releases a job's room in the queue, or stops the job's wait. A second call has no effect.
    fileprivate func leave(_ entry: WorkQueueEntry) {
        change { state in
            switch entry.phase {
            case .waiting: state.waiting.removeAll { $0 === entry }
            case .entered: state.remove(entry)
            case .left: break
            }
            entry.phase = .left
        }
    }

    /// Changes the queue's state under its lock, and then lets waiting jobs enter if there is room.
    private func change(_ change: (inout State) -> Void) {
        let entering = state.withLock { state in
            change(&state)
            return state.waiting.isEmpty ? [] : state.enter(into: room)
        }
        for entry in entering { entry.waiter.wake() }
    }
}

extension WorkQueue.State {
    /// Moves waiting jobs into the queue, as far as there is room. Returns these jobs.
    fileprivate mutating func enter(into room: WorkLoad) -> [WorkQueueEntry] {
        var (entering, staying): ([WorkQueueEntry], [WorkQueueEntry]) = ([], [])
        for (index, entry) in waiting.enumerated() {
            guard (entered + entry.load).fits(room) else {
                staying += waiting[index...]
                break
            }
            let own = entry.owner.flatMap { owners[$0] } ?? WorkLoad()
            guard (own + entry.load).fits(room.half) else {
                staying.append(entry)
                continue
            }
            add(entry)
            entering.append(entry)
        }
        waiting = staying
        return entering
    }

    private mutating func add(_ entry: WorkQueueEntry) {
        entry.phase = .entered
        entered = entered + entry.load
        if let owner = entry.owner { owners[owner] = (owners[owner] ?? WorkLoad()) + entry.load }
    }

    fileprivate mutating func remove(_ entry: WorkQueueEntry) {
        entered = entered - entry.load
        guard let owner = entry.owner, let load = owners[owner] else { return }
        owners[owner] = load.jobs > entry.load.jobs ? load - entry.load : nil
    }
}

/// A request that knows the owner of its jobs, which is its caller or its address.
protocol WorkOwner: AnyObject, Sendable {
    /// The key of the request's caller or address in the memory budget. It is read on the request's loop.
    var workOwner: MemoryHolder.Key { get }
}

/// A number of jobs, and the number of bytes that these jobs read.
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

/// One job's entry in the queue. The job leaves the queue at the latest when the last reference to the entry ends.
///
/// `@unchecked`: `phase` is protected by the queue's lock.
private final class WorkQueueEntry: @unchecked Sendable {
    enum Phase {
        case waiting
        case entered
        case left
    }

    let load: WorkLoad
    let owner: MemoryHolder.Key?
    var phase = Phase.waiting
    /// The wait of the job for room.
    let waiter: RemoteWaiter
    private let queue: WorkQueue

    init(_ load: WorkLoad, of owner: MemoryHolder.Key?, in queue: WorkQueue, on loop: EventLoop) {
        self.load = load
        self.owner = owner
        self.queue = queue
        waiter = RemoteWaiter(loop)
    }

    deinit { if phase == .entered { queue.leave(self) } }
}

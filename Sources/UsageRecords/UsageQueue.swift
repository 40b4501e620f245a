import Engine
package import Shared
import Synchronization

/// A queue of usage records, with a thread that writes them to a store in batches.
///
/// A request never waits for the store. If the queue is full, the request's record is dropped and counted.
package final class UsageQueue: Sendable {
    private struct State {
        var waiting: [FinishedRequest] = []
        /// The number of records in `waiting`: one for each request and one for each upstream call.
        var count = 0
        /// The number of records that the thread has taken from the queue but has not written yet.
        var removed = 0
        /// The store to which later records are written, and the index in `waiting` of its first request; nil if the
        /// store is not replaced.
        var next: (store: any UsageStore, from: Int)?
        var isReopening = false
        var isEnding = false
        /// The work of the queue's thread besides writing records, such as deleting records.
        var tasks: [@Sendable () -> Void] = []

        var isIdle: Bool { waiting.isEmpty && !isReported }
        /// Whether the queue's thread has work other than writing records, such as reopening the store.
        var isReported: Bool { isEnding || isReopening || next != nil || !tasks.isEmpty }
    }

    /// The largest number of waiting records. Further records are dropped.
    package static let maxRecords = 20_000
    private static let retryNanoseconds: UInt64 = 1_000_000_000

    /// The name of the store in metrics and in the log.
    package let name: String
    let written = Atomic<Int>(0)
    let dropped = Atomic<Int>(0)
    let failures = Atomic<Int>(0)
    private let state = Lock(State())
    private let signal = Signal()
    private let worker = Worker()
    private let log: Log
    private let gatheringNanoseconds: UInt64

    /// Creates a queue and starts its thread. `gatheringMilliseconds` is the time to collect records before a write.
    package init(_ name: String, _ store: any UsageStore, gatheringMilliseconds: Int, log: Log) {
        self.name = name
        self.log = log
        gatheringNanoseconds = UInt64(gatheringMilliseconds) * 1_000_000
        worker.begin { [self] in run(store) }
    }

    /// The name of the setting that names the store.
    private var setting: String {
        switch name {
        case "postgres": "USAGE_DATABASE_URL"
        case "sqlite": "DATA_DIR"
        default: "USAGE_LOG_FILE"
        }
    }

    package var waitingRecords: Int { state.withLock { $0.count + $0.removed } }

    package func append(_ request: FinishedRequest) {
        let more = request.recordCount
        let isTurn = state.withLock { state in
            let (before, count) = (state.count, state.count + more)
            guard count + state.removed <= Self.maxRecords else { return nil as Bool? }
            state.waiting.append(request)
            state.count = count
            return before == 0 || before <= Self.maxRecords / 2 && count > Self.maxRecords / 2
        }
        guard let isTurn else {
            dropped.add(more, ordering: .relaxed)
            return
        }
        if isTurn { signal.wake() }
    }

    /// Makes the store close and reopen its file or connection.
    package func reopen() { update { $0.isReopening = true } }

    /// Makes the queue write later records to another store. Waiting records still go to the old store, unless it is
    /// failing.
    package func use(_ store: any UsageStore) { update { $0.next = (store, from: $0.next?.from ?? $0.waiting.count) } }

    /// Runs `work` on the queue's thread before the next batch. After `stop`, the work is not run.
    func perform(_ work: @escaping @Sendable () -> Void) { update { $0.tasks.append(work) } }

    /// Waits until all records are written, or until the store fails, and stops the thread.
    package func stop() {
        update { $0.isEnding = true }
        worker.join()
    }

    private func update(_ change: (inout State) -> Void) {
        state.withLock { change(&$0) }
        signal.wake()
    }

    // MARK: On its thread

    private func run(_ first: any UsageStore) {
        var store = first
        var batch: [FinishedRequest] = []
        var isFailing = false
        var upkeep = LoopTime.distantPast
        while true {
            while batch.isEmpty, state.withLock(\.isIdle) {
                if LoopTime.current() >= upkeep { upkeep = Self.upkeep(of: store) } else { signal.wait(until: upkeep) }
            }
            pause(isFailing: isFailing)
            let reported = state.withLock { state in
                let reported = (next: state.next?.store, isReopening: state.isReopening, tasks: state.tasks)
                if batch.isEmpty {
                    let later = state.next.map { Array(state.waiting[$0.from...]) } ?? []
                    swap(&state.waiting, &batch)
                    batch.removeLast(later.count)
                    state.waiting = later
                    let count = later[...].recordCount
                    (state.removed, state.count) = (state.count - count, count)
                }
                (state.next, state.isReopening, state.tasks) = (nil, false, [])
                return reported
            }
            for task in reported.tasks { task() }
            if reported.isReopening { store.reopen() }
            if isFailing, let next = reported.next { store = next }
            do throws(UsageFailure) {
                try write(&batch, to: store)
                if isFailing { log.warning("usage records are written again") { $0.add("to", name) } }
                isFailing = false
            } catch {
                failures.add(1, ordering: .relaxed)
                if !isFailing {
                    log.warning("usage records cannot be written") { line in
                        line.add("to", name)
                        line.add("setting", setting)
                        line.add("cause", error.cause)
                        line.add("room_for", Self.maxRecords)
                        line.add("meanwhile", "records wait in memory; those for which there is no room are lost")
                    }
                }
                isFailing = true
            }
            if let next = reported.next { store = next }
            if !isFailing, LoopTime.current() >= upkeep { upkeep = Self.upkeep(of: store) }
            // The end may have been requested while the store was slow.
            if state.withLock({ $0.isEnding && (isFailing || $0.waiting.isEmpty) }) { break }
        }
        // The function that deletes records also keeps the store alive, so it is closed here.
        store.end()
        let lost = waitingRecords
        guard lost > 0 else { return }
        dropped.add(lost, ordering: .relaxed)
        log.warning("usage records are lost") { line in
            line.add("to", name)
            line.add("count", lost)
        }
    }

    /// Runs the background work of the store. Returns the time at which the store has more work.
    private static func upkeep(of store: any UsageStore) -> LoopTime {
        let milliseconds = store.advance()
        return milliseconds.map { LoopTime.current().adding(milliseconds: $0) } ?? .distantFuture
    }

    /// Waits for more records before a batch, or until the next attempt after a failure.
    private func pause(isFailing: Bool) {
        let pause = isFailing ? Self.retryNanoseconds : gatheringNanoseconds
        let end = LoopTime.current() + pause
        while LoopTime.current() < end {
            let isUrgent = state.withLock { state in state.isReported || !isFailing && state.count > Self.maxRecords / 2
            }
            if isUrgent { return }
            signal.wait(until: end)
        }
    }

    private func write(_ batch: inout [FinishedRequest], to store: any UsageStore) throws(UsageFailure) {
        var rest = batch[...]
        defer {
            batch = rest.isEmpty ? [] : Array(rest)
            state.withLock { $0.removed = batch[...].recordCount }
        }
        while !rest.isEmpty {
            let count = try store.write(rest)
            written.add(rest.prefix(count).recordCount, ordering: .relaxed)
            rest = rest.dropFirst(count)
        }
    }
}

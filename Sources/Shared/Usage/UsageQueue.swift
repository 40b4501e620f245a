import Engine
import Synchronization

/// The records that wait for a store, and the thread that brings them there in batches. Whoever has a record never
/// waits: one that finds no room is dropped and counted.
package final class UsageQueue: Sendable {
    private struct State {
        var waiting: [UsageRecord] = []
        /// That the thread has taken, and not written yet.
        var taken = 0
        var next: (any UsageStore)?
        var isReopening = false
        var isEnding = false

        var isIdle: Bool { waiting.isEmpty && !isTold }
        /// There is something to tell the store.
        var isTold: Bool { isEnding || isReopening || next != nil }
    }

    /// The records that may wait: while a store is away, nothing is lost up to this number.
    package static let mostRecords = 20_000
    private static let retryMicroseconds = 1_000_000

    /// For metrics and the log.
    package let name: String
    let written = Atomic<Int>(0)
    let dropped = Atomic<Int>(0)
    let failures = Atomic<Int>(0)
    private let state = Lock(State())
    private let signal = Signal()
    private let worker = Worker()
    private let log: Log
    private let gatheringMicroseconds: Int

    /// - Parameter gatheringMilliseconds: for which records wait for others, so that they are written together.
    package init(_ name: String, _ store: any UsageStore, gatheringMilliseconds: Int, _ log: Log) {
        self.name = name
        self.log = log
        gatheringMicroseconds = gatheringMilliseconds * 1_000
        worker.begin { [self] in run(store) }
    }

    package var waitingRecords: Int { state.withLock { $0.waiting.count + $0.taken } }

    package func take(_ record: UsageRecord, _ calls: [UsageRecord]) {
        let isTurn = state.withLock { state in
            guard state.waiting.count + state.taken + calls.count < Self.mostRecords else { return nil as Bool? }
            let count = state.waiting.count
            state.waiting.append(record)
            if !calls.isEmpty { state.waiting.append(contentsOf: calls) }
            return count == 0 || count <= Self.mostRecords / 2 && state.waiting.count > Self.mostRecords / 2
        }
        guard let isTurn else {
            dropped.add(1 + calls.count, ordering: .relaxed)
            return
        }
        if isTurn { signal.wake() }
    }

    /// Others may have moved what the store writes to.
    package func reopen() { tell { $0.isReopening = true } }

    /// Later records go there; those that wait only if the present store fails.
    package func use(_ store: any UsageStore) { tell { $0.next = store } }

    /// Returns once all records are written, or cannot be.
    package func stop() {
        tell { $0.isEnding = true }
        worker.join()
    }

    private func tell(_ change: (inout State) -> Void) {
        state.withLock { change(&$0) }
        signal.wake()
    }

    // MARK: On its thread

    private func run(_ first: any UsageStore) {
        var store = first
        var batch: [UsageRecord] = []
        var isFailing = false
        while true {
            while batch.isEmpty, state.withLock(\.isIdle) { signal.wait(untilMicroseconds: nil) }
            pause(isFailing: isFailing)
            let told = state.withLock { state in
                let told = (next: state.next, isReopening: state.isReopening)
                (state.next, state.isReopening) = (nil, false)
                if batch.isEmpty { swap(&state.waiting, &batch) }
                state.taken = batch.count
                return told
            }
            if told.isReopening { store.reopen() }
            if isFailing, let next = told.next { store = next }
            do throws(UsageFailure) {
                try write(&batch, to: store)
                if isFailing { log.warning("usage records are written again") { $0.add("to", name) } }
                isFailing = false
            } catch {
                failures.add(1, ordering: .relaxed)
                if !isFailing {
                    log.warning("usage records cannot be written") { line in
                        line.add("to", name)
                        line.add("cause", error.cause)
                        line.add("room_for", Self.mostRecords)
                    }
                }
                isFailing = true
            }
            if let next = told.next { store = next }
            // It may have come while the store was slow.
            if state.withLock({ $0.isEnding && (isFailing || $0.waiting.isEmpty) }) { break }
        }
        let lost = batch.count + state.withLock { $0.waiting.count }
        guard lost > 0 else { return }
        dropped.add(lost, ordering: .relaxed)
        log.warning("usage records are lost") { line in
            line.add("to", name)
            line.add("count", lost)
        }
    }

    /// Records gather meanwhile, or the store comes back.
    private func pause(isFailing: Bool) {
        let pause = isFailing ? Self.retryMicroseconds : gatheringMicroseconds
        let end = Int(EventLoop.monotonicNanoseconds() / 1_000) + pause
        while Int(EventLoop.monotonicNanoseconds() / 1_000) < end {
            let isUrgent = state.withLock { state in
                state.isTold || !isFailing && state.waiting.count > Self.mostRecords / 2
            }
            if isUrgent { return }
            signal.wait(untilMicroseconds: end)
        }
    }

    private func write(_ batch: inout [UsageRecord], to store: any UsageStore) throws(UsageFailure) {
        var rest = batch[...]
        defer {
            batch = rest.isEmpty ? [] : Array(rest)
            state.withLock { $0.taken = batch.count }
        }
        while !rest.isEmpty {
            let count = try store.write(rest)
            rest = rest.dropFirst(count)
            written.add(count, ordering: .relaxed)
        }
    }
}

package import Engine
package import Shared
import Synchronization

/// Passes usage records to the configured stores: a file, and a database or the process's memory.
package final class UsageRecorder: Sendable {
    private static let fileMilliseconds = 50

    private let isInUse = Atomic<Bool>(false)
    /// The queues of all stores in use. Each finished request is added to every queue.
    private let queues = Lock<[UsageQueue]>([])
    private let file = Lock<(queue: UsageQueue, settings: UsageFileSettings)?>(nil)
    private let database: RecordStore?
    /// The store of usage records in memory; nil if a database is used or no records are kept in memory.
    private let memory = Lock<RecordStore?>(nil)
    private let budget: MemoryBudget
    package let bodies: BodyBudget
    private let log: Log

    /// Creates a recorder. `database` is nil if no database is configured.
    package init(_ settings: UsageFileSettings?, database: RecordStore? = nil, _ budget: MemoryBudget, log: Log) {
        self.database = database
        self.budget = budget
        bodies = BodyBudget(budget)
        self.log = log
        use(settings)
    }

    /// Whether usage records are kept anywhere: in a file, a database or memory.
    package var isOn: Bool { isInUse.load(ordering: .relaxed) }

    /// The reader of the stored records; nil if records are only written to a file or not kept.
    package var reader: RecordReader? { database?.reader ?? memory.withLock { $0?.reader } }

    /// The copies of limits' records in the database; nil without a database.
    package var copies: StoredCopies? { database?.copies }

    /// Records a request with its upstream calls. Returns without waiting for the stores.
    package func record(_ request: FinishedRequest) {
        queues.withLock { queues in
            // Iterating by index, because a loop over the array would hold another reference to it.
            for index in queues.indices { queues[index].append(request) }
        }
    }

    /// Keeps the records of at most `bound` requests in memory; none if `bound` is nil. Does nothing if there is a
    /// database.
    package func keep(inMemory bound: Int?, _ zone: DayZone = .utc) {
        guard database == nil else { return }
        let old = memory.withLock { memory in
            guard let bound else {
                defer { memory = nil }
                return memory
            }
            if let memory {
                memory.memory?.use(bound: bound, zone)
            } else {
                memory = .memory(bound: bound, zone, budget, bodies: bodies, log: log)
            }
            return nil
        }
        setQueues()
        old?.stop()
    }

    private func setQueues() {
        // The stores are read under the lock, so that the last of two changes at once leaves the queues of both.
        queues.withLock { queues in
            queues = [file.withLock { $0?.queue }, database?.queue, memory.withLock { $0?.queue }].compactMap(\.self)
            isInUse.store(!queues.isEmpty, ordering: .relaxed)
        }
    }

    /// Replaces the settings of the usage file. If `settings` is nil, no file is written.
    package func use(_ settings: UsageFileSettings?) {
        let old = file.withLock { file in
            let old = file?.queue
            if let settings {
                if file?.settings != settings { old?.use(UsageFile(settings)) }
                let queue =
                    old
                    ?? UsageQueue("file", UsageFile(settings), gatheringMilliseconds: Self.fileMilliseconds, log: log)
                file = (queue, settings)
                return nil as UsageQueue?
            }
            file = nil
            return old
        }
        setQueues()
        old?.stop()
    }

    /// Closes and reopens the file of usage records, since it may have been moved.
    package func reopen() { file.withLock { $0?.queue }?.reopen() }

    /// Writes all waiting records and stops the threads of the stores.
    package func stop() {
        use(nil)
        keep(inMemory: nil)
        database?.stop()
    }
}

extension UsageRecorder: MetricsSource {
    package func write(to text: inout MetricsText) {
        let queues = queues.withLock(\.self)
        guard !queues.isEmpty else { return }
        text.counter("relay_usage_records_total", "Usage records that were written, by destination.")
        for queue in queues { text.sample(("to", queue.name), value: queue.written.load(ordering: .relaxed)) }
        text.counter("relay_usage_records_dropped_total", "Usage records that were dropped because the queue was full.")
        for queue in queues { text.sample(("to", queue.name), value: queue.dropped.load(ordering: .relaxed)) }
        text.counter("relay_usage_write_failures_total", "Failed attempts to write usage records.")
        for queue in queues { text.sample(("to", queue.name), value: queue.failures.load(ordering: .relaxed)) }
        text.gauge("relay_usage_records_waiting", "Usage records that wait to be written.")
        for queue in queues { text.sample(("to", queue.name), value: queue.waitingRecords) }
    }
}

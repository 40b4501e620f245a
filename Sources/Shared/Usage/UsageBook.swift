package import Engine
import Synchronization

/// Everything that keeps usage records.
package final class UsageBook: Sendable {
    private static let fileMilliseconds = 50

    private let isInUse = Atomic<Bool>(false)
    private let file = Lock<(queue: UsageQueue, settings: UsageFileSettings)?>(nil)
    private let database: RecordStore?
    /// The records in memory, where there is no database.
    private let memory = Lock<RecordStore?>(nil)
    private let budget: MemoryBudget
    private let log: Log

    /// - Parameter database: the store of the database; nil if there is none.
    package init(_ settings: UsageFileSettings?, database: RecordStore? = nil, _ budget: MemoryBudget, _ log: Log) {
        self.database = database
        self.budget = budget
        self.log = log
        use(settings)
    }

    /// Somebody keeps records.
    package var isOn: Bool { isInUse.load(ordering: .relaxed) }

    /// The reader of the records that are kept; nil if none are kept but in a file.
    package var reader: RecordReader? { database?.reader ?? memory.withLock { $0?.reader } }

    /// Calls of vendors go with the request that they were made for.
    package func take(_ request: UsageRecord, _ calls: [UsageRecord]) {
        file.withLock { $0?.queue }?.take(request, calls)
        if let database {
            database.queue.take(request, calls)
        } else {
            memory.withLock { $0?.queue }?.take(request, calls)
        }
    }

    /// Keeps so many records in memory from now on, unless there is a database; nil keeps none.
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
                memory = .memory(bound: bound, zone, budget, log)
            }
            return nil
        }
        setInUse()
        old?.stop()
    }

    private func setInUse() {
        let isKept = file.withLock { $0 != nil } || database != nil || memory.withLock { $0 != nil }
        isInUse.store(isKept, ordering: .relaxed)
    }

    /// The file is that from now on; nil: there is none.
    package func use(_ settings: UsageFileSettings?) {
        let old = file.withLock { file in
            let old = file?.queue
            if let settings {
                if file?.settings != settings { old?.use(UsageFile(settings)) }
                let queue =
                    old ?? UsageQueue("file", UsageFile(settings), gatheringMilliseconds: Self.fileMilliseconds, log)
                file = (queue, settings)
                return nil as UsageQueue?
            }
            file = nil
            return old
        }
        setInUse()
        old?.stop()
    }

    /// Others may have moved the file.
    package func reopen() { file.withLock { $0?.queue }?.reopen() }

    /// Writes all that is left.
    package func stop() {
        use(nil)
        keep(inMemory: nil)
        database?.stop()
    }
}

extension UsageBook: MetricsSource {
    package func write(to text: inout MetricsText) {
        let queues = [file.withLock { $0?.queue }, database?.queue, memory.withLock { $0?.queue }].compactMap(\.self)
        guard !queues.isEmpty else { return }
        text.family("relay_usage_records_total", .counter, "Usage records that were written, by where.")
        for queue in queues { text.sample(("to", queue.name), value: queue.written.load(ordering: .relaxed)) }
        text.family("relay_usage_records_dropped_total", .counter, "Usage records that found no room.")
        for queue in queues { text.sample(("to", queue.name), value: queue.dropped.load(ordering: .relaxed)) }
        text.family("relay_usage_write_failures_total", .counter, "Times that usage records could not be written.")
        for queue in queues { text.sample(("to", queue.name), value: queue.failures.load(ordering: .relaxed)) }
        text.family("relay_usage_records_waiting", .gauge, "Usage records that are not written yet.")
        for queue in queues { text.sample(("to", queue.name), value: queue.waitingRecords) }
    }
}

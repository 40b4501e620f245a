package import Engine
import Synchronization

/// The recorder of usage: it passes the records of requests to a file and to a database or memory.
package final class UsageRecorder: Sendable {
    private static let fileMilliseconds = 50

    private let isInUse = Atomic<Bool>(false)
    private let file = Lock<(queue: UsageQueue, settings: UsageFileSettings)?>(nil)
    private let database: RecordStore?
    /// The records in memory; nil if there is a database or records are off.
    private let memory = Lock<RecordStore?>(nil)
    private let budget: MemoryBudget
    /// The memory of the bodies that records keep.
    package let bodies: BodyBudget
    private let log: Log

    /// - Parameter database: the store of the database; nil if there is none.
    package init(_ settings: UsageFileSettings?, database: RecordStore? = nil, _ budget: MemoryBudget, log: Log) {
        self.database = database
        self.budget = budget
        bodies = BodyBudget(budget)
        self.log = log
        use(settings)
    }

    /// Whether records are kept anywhere.
    package var isOn: Bool { isInUse.load(ordering: .relaxed) }

    /// The reader of stored records; nil if records are off or only written to a file.
    package var reader: RecordReader? { database?.reader ?? memory.withLock { $0?.reader } }

    /// Records a request together with its upstream calls.
    package func record(_ request: UsageRecord, _ calls: [UsageRecord]) {
        file.withLock { $0?.queue }?.append(request, calls)
        if let database {
            database.queue.append(request, calls)
        } else {
            memory.withLock { $0?.queue }?.append(request, calls)
        }
    }

    /// Keeps at most this many requests in memory, unless there is a database; nil keeps none.
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
        setInUse()
        old?.stop()
    }

    private func setInUse() {
        let isKept = file.withLock { $0 != nil } || database != nil || memory.withLock { $0 != nil }
        isInUse.store(isKept, ordering: .relaxed)
    }

    /// Replaces the settings of the file; nil: no file is written.
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
        setInUse()
        old?.stop()
    }

    /// Reopens the file, since it may have been moved.
    package func reopen() { file.withLock { $0?.queue }?.reopen() }

    /// Writes all waiting records and stops.
    package func stop() {
        use(nil)
        keep(inMemory: nil)
        database?.stop()
    }
}

extension UsageRecorder: MetricsSource {
    package func write(to text: inout MetricsText) {
        let queues = [file.withLock { $0?.queue }, database?.queue, memory.withLock { $0?.queue }].compactMap(\.self)
        guard !queues.isEmpty else { return }
        text.family("relay_usage_records_total", .counter, help: "Usage records that were written, by destination.")
        for queue in queues { text.sample(("to", queue.name), value: queue.written.load(ordering: .relaxed)) }
        text.family(
            "relay_usage_records_dropped_total",
            .counter,
            help: "Usage records that were dropped because the queue was full."
        )
        for queue in queues { text.sample(("to", queue.name), value: queue.dropped.load(ordering: .relaxed)) }
        text.family(
            "relay_usage_write_failures_total",
            .counter,
            help: "Failed attempts to write usage records."
        )
        for queue in queues { text.sample(("to", queue.name), value: queue.failures.load(ordering: .relaxed)) }
        text.family("relay_usage_records_waiting", .gauge, help: "Usage records that wait to be written.")
        for queue in queues { text.sample(("to", queue.name), value: queue.waitingRecords) }
    }
}

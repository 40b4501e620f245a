import Engine
import Synchronization

/// Everything that keeps usage records.
package final class UsageBook: Sendable {
    private static let fileMilliseconds = 50

    private let isInUse = Atomic<Bool>(false)
    private let file = Lock<(queue: UsageQueue, settings: UsageFileSettings)?>(nil)
    private let database: UsageQueue?
    private let log: Log

    /// - Parameter database: nil: there is none.
    package init(_ settings: UsageFileSettings?, database: UsageQueue? = nil, _ log: Log) {
        self.database = database
        self.log = log
        use(settings)
    }

    /// Somebody keeps records.
    package var isOn: Bool { isInUse.load(ordering: .relaxed) }

    /// Calls of vendors go with the request that they were made for.
    package func take(_ request: UsageRecord, _ calls: [UsageRecord]) {
        file.withLock { $0?.queue }?.take(request, calls)
        database?.take(request, calls)
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
        isInUse.store(settings != nil || database != nil, ordering: .relaxed)
        old?.stop()
    }

    /// Others may have moved the file.
    package func reopen() { file.withLock { $0?.queue }?.reopen() }

    /// Writes all that is left.
    package func stop() {
        use(nil)
        database?.stop()
    }
}

extension UsageBook: MetricsSource {
    package func write(to text: inout MetricsText) {
        let queues = [file.withLock { $0?.queue }, database].compactMap(\.self)
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

extension UsageQueue {
    /// For which records wait for a database: what the end of the process by force may cost.
    private static let databaseMilliseconds = 250

    /// To the database that is set; nil: none is.
    ///
    /// - Throws: if nothing can ever be written there, with the fix. A server that is away may come back.
    package static func database(_ settings: UsageDatabaseSettings?, _ log: Log) throws(UsageFailure) -> UsageQueue? {
        guard let settings else { return nil }
        switch settings.place {
        case .folder(let folder):
            let store = SQLiteStore(folder: folder, days: settings.days, mostBytes: settings.mostBytes, log)
            try store.check()
            return UsageQueue("sqlite", store, gatheringMilliseconds: databaseMilliseconds, log)
        case .server(let url):
            let store = try PostgresStore(url: url, days: settings.days, log)
            return UsageQueue("postgres", store, gatheringMilliseconds: databaseMilliseconds, log)
        }
    }
}

package import Engine
package import Limits
package import Shared

/// A readable store of usage records: a database, or the memory of the process.
package struct RecordStore: Sendable {
    /// The time for which records are collected before they are written, in milliseconds. If the process is killed,
    /// they are lost.
    private static let gatheringMilliseconds = 250
    private static let deleteMilliseconds = 10_000

    package let queue: UsageQueue
    package let reader: RecordReader
    /// The records in the memory of the process; nil if a database stores the records.
    private(set) var memory: MemoryRecords?
    /// The copies of limits' records in the database; nil without a database.
    let copies: StoredCopies?

    private init(
        _ name: String,
        _ store: any EditableUsageStore,
        source: any RecordSource,
        zone: @escaping @Sendable () -> DayZone,
        log: Log
    ) {
        let queue = UsageQueue(name, store, gatheringMilliseconds: Self.gatheringMilliseconds, log: log)
        self.queue = queue
        copies = (store as? any CopyTable).map { StoredCopies(queue: queue, table: $0) }
        reader = RecordReader(source, zone: zone) { ids throws(UsageFailure) in
            try Self.result(on: queue) { () throws(UsageFailure) in try store.delete(ids) }
        }
    }

    /// Creates the store for the configured database; nil if no database is configured.
    /// - Throws: a failure if the SQLite file cannot be written or the PostgreSQL URL is invalid.
    package static func database(_ settings: UsageDatabaseSettings?, _ log: Log) throws(UsageFailure) -> RecordStore? {
        guard let settings else { return nil }
        let zone = settings.zone
        switch settings.location {
        case .folder(let folder):
            let store = SQLiteStore(folder: folder, days: settings.days, maxBytes: settings.maxBytes, zone: zone, log)
            try store.check()
            return RecordStore("sqlite", store, source: SQLiteRecords(folder: folder), zone: { zone }, log: log)
        case .server(let url):
            let store = try PostgresStore(url: url, days: settings.days, zone: zone, log)
            return RecordStore("postgres", store, source: try PostgresRecords(url: url), zone: { zone }, log: log)
        }
    }

    /// Creates a store in the memory of the process, for at most `bound` requests.
    package static func memory(
        bound: Int,
        _ zone: DayZone,
        _ budget: MemoryBudget,
        bodies: BodyBudget,
        log: Log
    ) -> RecordStore {
        let records = MemoryRecords(bound: bound, zone, budget, bodies: bodies)
        var store = RecordStore("memory", records, source: records, zone: { records.zone }, log: log)
        store.memory = records
        return store
    }

    package func stop() {
        reader.stop()
        queue.stop()
    }

    /// Runs work on the queue's thread, the only writer of the store, and waits for the result.
    static func result<Value: Sendable>(
        on queue: UsageQueue,
        of work: @escaping @Sendable () throws(UsageFailure) -> Value
    ) throws(UsageFailure) -> Value {
        let result = Lock<Result<Value, UsageFailure>?>(nil)
        let isDone = Signal()
        queue.perform {
            let value = Result { () throws(UsageFailure) in try work() }
            result.withLock { $0 = value }
            isDone.wake()
        }
        let end = LoopTime.current().adding(milliseconds: deleteMilliseconds)
        while LoopTime.current() < end {
            if let result = result.withLock({ $0 }) { return try result.get() }
            isDone.wait(until: end)
        }
        throw UsageFailure("the usage database does not respond")
    }
}

/// The copies of limits' records in the database of usage records. The thread that writes usage records does the work.
package struct StoredCopies: RecordCopies {
    let queue: UsageQueue
    let table: any CopyTable

    package func read(_ keys: [String]) throws(StoreFailure) -> [RecordCopy] {
        try onQueue { () throws(UsageFailure) in try table.copies(keys) }
    }

    package func save(_ copies: [RecordCopy]) throws(StoreFailure) {
        try onQueue { () throws(UsageFailure) in try table.save(copies) }
    }

    private func onQueue<Value: Sendable>(
        _ work: @escaping @Sendable () throws(UsageFailure) -> Value
    ) throws(StoreFailure) -> Value {
        do throws(UsageFailure) {
            return try RecordStore.result(on: queue, of: work)
        } catch {
            throw StoreFailure(reason: error.cause)
        }
    }
}

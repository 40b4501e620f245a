import Shared

/// A store of usage records. Its functions may block; only the thread of its `UsageQueue` calls them.
package protocol UsageStore: AnyObject, Sendable {
    /// Writes one or more requests, starting with the first one.
    /// - Returns: the number of requests that were written, at least one.
    /// - Throws: a failure if no request was written.
    func write(_ requests: ArraySlice<FinishedRequest>) throws(UsageFailure) -> Int

    /// Closes and reopens the file or connection, since the file may have been moved.
    func reopen()

    /// Does background work for a few milliseconds. Returns the time until there is more work, in milliseconds; nil if
    /// the store has none.
    func advance() -> Int?

    /// Closes the store. No records are written to it afterwards.
    func end()
}

/// A store whose records can be deleted, on the thread of its queue.
protocol EditableUsageStore: UsageStore {
    /// Deletes requests with their upstream calls, and subtracts them from the daily sums. Returns the number of
    /// deleted requests.
    func delete(_ ids: [RecordID]) throws(UsageFailure) -> Int
}

extension UsageStore {
    package func end() {}

    package func advance() -> Int? { nil }
}

/// The reason why usage records could not be written or read, for the log, without secrets.
package struct UsageFailure: Error {
    package let cause: String

    package init(_ cause: String) { self.cause = cause }
}

/// The database tables of usage records.
enum UsageSchema {
    static let postgresTable = "relay_usage"
    static let postgresSums = "relay_usage_sums"
    static let postgresBodies = "relay_usage_bodies"

    /// The SQLite table of usage records. A request and its only upstream call can share a row.
    ///
    /// Other programs read the view `usage`, which has a row for each record. There, such a call has the request's id
    /// plus 1.
    static let sqliteTable = "records"

    /// The columns of a row in SQLite as SQL: its id, the record and its only call.
    static let sqliteRow = "id," + UsageColumn.inSQLite.names
    /// The columns of a row in SQLite as SQL: its id, and what sums need.
    static let sqliteSummed = "id," + UsageColumn.summedInSQLite.names

    /// The columns of the stored sums: first for requests, then for upstream calls.
    static let sumColumns = UsageFigures.columns.map(\.name) + UsageFigures.columns.map(\.callName)

    /// The largest number of stored records that one background step adds to the daily sums.
    static let rowsOfStep = 2_000
    /// The pause between two steps of background work, in milliseconds. Other connections can write during the pause.
    static let stepMilliseconds = 20
    /// The largest number of upstream calls whose rows are read for one request.
    static let maxCalls = 200

    /// The number of SQLite ids for each millisecond. An id is at least the row's time in milliseconds multiplied by
    /// this number.
    static let idsPerMillisecond = 4_096

    /// Returns the id of a new record in SQLite. It follows from the record's time, but is above `last`, the previous
    /// row's id.
    static func sqliteID(_ record: UsageRecord, after last: Int) -> Int {
        max(last + 1, firstSQLiteID(at: record.timeMilliseconds))
    }

    /// A number above all SQLite ids that the relay creates, even if its clock is wrong.
    static let idBound = 1 << 62 + 1 << 40

    /// Returns the lowest id that a row of this time or of a later time can have.
    static func firstSQLiteID(at milliseconds: Int) -> Int { min(max(0, milliseconds), 1 << 50) * idsPerMillisecond }
}

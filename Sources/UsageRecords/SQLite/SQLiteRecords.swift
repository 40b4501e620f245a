import CSQLite
import Engine
import Glibc
import Shared

/// The usage records in an SQLite file, as a source for `RecordReader`.
///
/// `@unchecked`: used by the reader's thread only.
final class SQLiteRecords: RecordSource, @unchecked Sendable {
    private let path: String
    private var opened: (database: SQLiteDatabase, inode: UInt)?
    private static let busyMilliseconds: Int32 = 500

    init(folder: String) { path = "\(folder)/\(SQLiteStore.fileName)" }

    func page(_ query: RecordQuery, until end: LoopTime) throws(UsageFailure) -> RecordPage {
        try read(until: end) { database throws(SQLiteFailure) in
            let state = try SQLiteState(database)
            var days: [SQLiteDay] = []
            var isCut = false
            do throws(SQLiteFailure) {
                days = try SQLiteDay.days(query.filter, state, database: database)
            } catch {
                guard error.isInterrupt else { throw error }
                isCut = true
            }
            let isCounted = query.filter.isCountedBySums && state.mark == 0
            let total = isCounted ? days.reduce(0) { $0 + $1.count(query.filter.outcome) } : nil
            var collector = PageCollector<Int>(query, knownTotal: total, until: end)
            var scan = SQLiteScan(query, SQLiteDay.ranges(days, query.filter, state: state), database: database)
            if !isCut { isCut = try scan.run(&collector) }
            database.interrupt(at: nil)
            var page = collector.page()
            page.isPartial = isCut
            let rows = try SQLiteRequestRows(database)
            for id in collector.ids() {
                if let found = Self.stored(try rows.rows(id)) { page.records.append(found.record) }
            }
            if isCut || collector.isStopped { page.goOn(after: scan.lastID.map { .number($0) }, query) }
            return page
        }
    }

    func request(_ id: RecordID, until end: LoopTime) throws(UsageFailure) -> StoredRequest? {
        guard case .number(let id) = id else { return nil }
        return try read(until: end) { database throws(SQLiteFailure) in
            guard var found = Self.stored(try SQLiteRequestRows(database).rows(id)) else { return nil }
            let bodies = try database.prepare("SELECT request, response FROM bodies WHERE id = ?", [.number(id)])
            if try bodies.step() { (found.requestBody, found.responseBody) = (bodies.text(0), bodies.text(1)) }
            return found
        }
    }

    private static func stored(_ rows: [(id: Int, record: UsageRecord)]) -> StoredRequest? {
        guard let first = rows.first else { return nil }
        return StoredRequest(.number(first.id), first.record, calls: rows.dropFirst().map(\.record))
    }

    func table(_ query: UsageQuery, until end: LoopTime) throws(UsageFailure) -> UsageTable {
        try read(until: end) { database throws(SQLiteFailure) in
            try database.table(query)
        }
    }

    func timeline(
        _ plan: TimelinePlan,
        until end: LoopTime
    ) throws(UsageFailure) -> (rows: [(key: SumKey, sum: UsageSum)], isPartial: Bool) {
        try read(until: end) { database throws(SQLiteFailure) in
            let mark = try SQLiteState(database).mark
            let isUnsummed = !plan.stored.isEmpty && UsageSchema.firstSQLiteID(at: plan.query.range.lowerBound) <= mark
            var sums = plan.emptyTable
            do throws(SQLiteFailure) {
                for range in plan.read { try Self.add(range, of: plan, to: &sums, database) }
                var rows = sums.rows
                guard !plan.stored.isEmpty else { return (rows, false) }
                let sql = plan.sql(.sqlite)
                let statement = try database.prepare(sql.text, sql.values)
                while try statement.step() { rows.append(UsageSum.row(statement, at: 0)) }
                return (rows, isUnsummed)
            } catch {
                guard error.isInterrupt else { throw error }
                return (sums.rows, true)
            }
        }
    }

    /// A call that shares its request's row ended at most this much earlier than the request, in milliseconds.
    private static let longestDelay = 600_000
    /// Adds the records that ended in a range of time to the sums of a timeline.
    private static func add(
        _ range: Range<Int>,
        of plan: TimelinePlan,
        to sums: inout SumTable,
        _ database: SQLiteDatabase
    ) throws(SQLiteFailure) {
        var filter = FilterSQL(.sqlite)
        filter.add(plan.query.filter)
        let ofCauses = plan.query.group == .cause
        // Reading the texts that sums do not need would take longer than all others.
        let columns =
            UsageColumn.summedInSQLite
            + UsageColumn.stored.filter {
                $0.name == "error" && ofCauses || $0.name == "end_user" && plan.query.group == .user
            }
        let statement = try database.prepare(
            """
            SELECT \(columns.names) FROM \(UsageSchema.sqliteTable)
            \(ofCauses ? "INDEXED BY records_failed" : "") WHERE id >= \(UsageSchema.firstSQLiteID(at: range.lowerBound))
            AND id < \(UsageSchema.firstSQLiteID(at: range.upperBound + longestDelay)) AND \(filter.condition)
            \(ofCauses ? "AND success = 0 AND kind = 0" : "")
            """,
            filter.values
        )
        while try statement.step() {
            plan.add(columns.record(statement), to: &sums, in: range)
        }
    }

    func minutes(since start: Int, until end: LoopTime) throws(UsageFailure) -> MinuteCounts? {
        try read(until: end) { database throws(SQLiteFailure) in try database.minutes(since: start) }
    }

    // MARK: The file

    /// Calls `body` with the open database in a transaction, so that all queries see the same state.
    private func read<Result>(
        until end: LoopTime,
        _ body: (SQLiteDatabase) throws(SQLiteFailure) -> Result
    ) throws(UsageFailure) -> Result {
        do throws(SQLiteFailure) {
            let database = try database()
            database.interrupt(at: end)
            try database.execute("BEGIN")
            defer {
                database.interrupt(at: nil)
                database.rollBack()
            }
            return try body(database)
        } catch {
            // The next query opens the file again.
            opened = nil
            throw UsageFailure("\(path): \(error.text)")
        }
    }

    /// Returns the open file. If the store has replaced a damaged file, opens the new file.
    private func database() throws(SQLiteFailure) -> SQLiteDatabase {
        var about = stat()
        guard stat(path, &about) == 0 else { throw SQLiteFailure(code: SQLITE_CANTOPEN, text: systemError) }
        let inode = UInt(about.st_ino)
        if let opened, opened.inode == inode { return opened.database }
        let database = try SQLiteDatabase.open(path, .read, busyMilliseconds: Self.busyMilliseconds)
        let (version, known) = (try database.number("PRAGMA user_version"), UsageSchema.sqliteSteps.count)
        guard version == known else {
            throw SQLiteFailure(code: SQLITE_ERROR, text: "schema \(version) instead of \(known)")
        }
        opened = (database, inode)
        return database
    }
}

/// The state of the stored daily sums: their time zone, and the records that they do not contain yet.
struct SQLiteState {
    let zone: DayZone
    /// The highest id of the rows that the daily sums lack; 0 if there are none.
    let mark: Int

    init(_ database: SQLiteDatabase) throws(SQLiteFailure) {
        let statement = try database.prepare("SELECT zone, mark FROM sums_state")
        _ = try statement.step()
        zone = DayZone(named: statement.text(0) ?? "UTC")
        mark = statement.number(1) ?? 0
        statement.end()
    }

    /// The last day whose sums might lack records, in days since 1970; nil if there is none.
    var lastPartialDay: Int? { mark > 0 ? zone.day(atMilliseconds: mark / UsageSchema.idsPerMillisecond).number : nil }
}

/// A day that may have records that match a filter. It has the range of their ids, and the numbers of requests and
/// failed requests.
struct SQLiteDay {
    let ids: ClosedRange<Int>
    private let requests: Int
    private let failed: Int
    /// The largest number of requests accepted for one day, so that sums do not overflow.
    private static let maxRequests = 1 << 40

    func count(_ outcome: RecordFilter.Outcome?) -> Int {
        switch outcome {
        case .completed: requests - failed
        case .failed: failed
        default: requests
        }
    }

    /// Returns the days that may have records that match the filter, according to the stored sums.
    static func days(
        _ filter: RecordFilter,
        _ state: SQLiteState,
        database: SQLiteDatabase
    ) throws(SQLiteFailure) -> [SQLiteDay] {
        var sql = FilterSQL(.sqlite)
        sql.add(filter, days: filter.days(in: state.zone))
        let statement = try database.prepare(
            "SELECT day, max(last_id), sum(requests), sum(failed) FROM sums WHERE \(sql.condition) GROUP BY day",
            sql.values
        )
        var days: [SQLiteDay] = []
        while try statement.step() {
            let start = state.zone.startMilliseconds(of: Day(number: statement.number(0) ?? 0))
            let (first, last) = (UsageSchema.firstSQLiteID(at: start), statement.number(1) ?? 0)
            // The sums of a damaged file may be any numbers.
            let counts = [2, 3].map { min(max(0, statement.number($0) ?? 0), Self.maxRequests) }
            days.append(SQLiteDay(ids: min(first, last)...last, requests: counts[0], failed: counts[1]))
        }
        return days
    }

    /// Returns the ranges of ids in which records that match the filter may exist, in ascending order and without
    /// overlaps.
    static func ranges(_ days: [SQLiteDay], _ filter: RecordFilter, state: SQLiteState) -> [ClosedRange<Int>] {
        var ranges = days.map(\.ids)
        if state.mark > 0 { ranges.append(0...state.mark) }
        var last = Int.max
        if case .number(let before)? = filter.before { last = before - 1 }
        let first = filter.fromMilliseconds.map { UsageSchema.firstSQLiteID(at: $0) } ?? 0
        var merged: [ClosedRange<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            let (low, high) = (max(range.lowerBound, first), min(range.upperBound, last))
            guard low <= high else { continue }
            if let before = merged.last, low <= before.upperBound {
                merged[merged.count - 1] = before.lowerBound...max(before.upperBound, high)
            } else {
                merged.append(low...high)
            }
        }
        return merged
    }
}

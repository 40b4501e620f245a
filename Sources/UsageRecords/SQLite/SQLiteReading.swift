import CSQLite
import Engine
import Glibc
import Shared

/// Reads the usage records in the SQLite file. A relay may write to the file at the same time.
enum SQLiteReading {
    private static let busyMilliseconds: Int32 = 5_000

    /// Returns the sums of the usage records; nil if the file or its tables are missing.
    static func summary(folder: String, _ question: UsageReportQuery) throws(UsageFailure) -> UsageSummary? {
        try read(folder: folder) { (database) throws(SQLiteFailure) in try database.summary(question) }
    }

    /// Returns the records of the upstream calls of the requests with this id.
    static func calls(ofRequest id: String, folder: String) throws(UsageFailure) -> [UsageRecord] {
        try read(folder: folder) { (database) throws(SQLiteFailure) in
            let table = "\(UsageSchema.sqliteTable) WHERE request_id = ? ORDER BY id"
            let rows = try database.prepare("SELECT \(UsageSchema.sqliteRow) FROM \(table)", [.text(id)])
            var calls: [UsageRecord] = []
            while try rows.step() {
                let record = rows.record
                if let call = record.isOfRequest ? record.onlyCall : record { calls.append(call) }
            }
            return calls
        } ?? []
    }

    /// Calls `body` with the open database. Returns nil if the file or its tables are missing.
    private static func read<Result>(
        folder: String,
        _ body: (SQLiteDatabase) throws(SQLiteFailure) -> Result?
    ) throws(UsageFailure) -> Result? {
        let path = "\(folder)/\(SQLiteStore.fileName)"
        guard access(path, F_OK) == 0 else {
            if errno == ENOENT { return nil }
            throw UsageFailure.system(path)
        }
        do throws(SQLiteFailure) {
            do throws(SQLiteFailure) {
                return try checked(try SQLiteDatabase.open(path, .read, busyMilliseconds: busyMilliseconds), body)
            } catch {
                // Without a journal nobody writes, and in a folder where no file can be created there cannot be one.
                guard error.code == SQLITE_CANTOPEN, access(path + "-wal", F_OK) != 0 else { throw error }
                let database = try SQLiteDatabase.open(path, .readImmutable, busyMilliseconds: busyMilliseconds)
                return try checked(database, body)
            }
        } catch {
            throw UsageFailure("\(path): \(error.text)")
        }
    }

    /// Calls `body` in a transaction if the tables have this relay's form. Returns nil if there are no tables.
    private static func checked<Result>(
        _ database: SQLiteDatabase,
        _ body: (SQLiteDatabase) throws(SQLiteFailure) -> Result?
    ) throws(SQLiteFailure) -> Result? {
        let (version, known) = (try database.number("PRAGMA user_version"), UsageSchema.sqliteSteps.count)
        if version == 0 { return nil }
        guard version <= known else { throw .newer(version, than: known) }
        guard version == known else {
            let text = "an older relay wrote the file (schema \(version)); start this relay once to update it"
            throw SQLiteFailure(code: SQLITE_ERROR, text: text)
        }
        // All queries see the file at one point in time.
        try database.execute("BEGIN")
        defer { database.rollBack() }
        return try body(database)
    }
}

extension SQLiteDatabase: UsageDatabase {
    static var dialect: FilterSQL.Dialect { .sqlite }

    static func source(from milliseconds: Int) -> String {
        let first = UsageSchema.firstSQLiteID(at: milliseconds)
        return "\(UsageSchema.sqliteTable) WHERE id >= \(first) AND time >= \(milliseconds)"
    }

    func each(_ sql: String, _ values: [FilterSQL.Value], _ body: (SQLiteStatement) -> Void) throws(SQLiteFailure) {
        let rows = try prepare(sql, values)
        while try rows.step() { body(rows) }
    }

    func sumsState() throws(SQLiteFailure) -> SumsState {
        let state = try SQLiteState(self)
        return SumsState(zone: state.zone, lastPartialDay: state.lastPartialDay)
    }

    func unstoredTable(_ query: UsageQuery, _ zone: DayZone) throws(SQLiteFailure) -> UsageTable {
        // The call in a row may have ended a day earlier, but no row has a lower id than the time of its call gives.
        let first = UsageSchema.firstSQLiteID(at: query.first.map { zone.startMilliseconds(of: $0) } ?? 0)
        var sums = UsageSums(zone)
        try each("SELECT \(UsageSchema.sqliteSummed) FROM \(UsageSchema.sqliteTable) WHERE id >= \(first)", []) {
            sums.add($0.summedRecord)
        }
        return UsageTable(query, sums.days.rows)
    }
}

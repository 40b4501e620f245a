import CSQLite
import Engine
import Glibc

/// Usage records in an SQLite file, `usage.db`. The journal is a write-ahead log that is not synced at each commit: what
/// was written outlasts the end of the process, but not of the machine's power, which may take the last seconds.
///
/// `@unchecked`: used by one thread at a time, its queue's once that has it.
package final class SQLiteStore: UsageStore, @unchecked Sendable {
    struct Opened {
        let database: SQLiteDatabase
        let begin: SQLiteStatement
        let last: SQLiteStatement
        let insert: SQLiteStatement
        /// Of `rowsAtOnce` rows, each of which costs a sixth less than in a statement of its own.
        let insertMany: SQLiteStatement
        let commit: SQLiteStatement
        let sums: SQLiteSums
    }

    package static let fileName = "usage.db"
    /// Of one transaction.
    private static let mostRecords = 2_000
    private static let rowsAtOnce = 8
    /// Rows that one step of retention deletes.
    static let mostDeleted = 4_000
    private static let busyMilliseconds: Int32 = 5_000
    private static let asideSeconds = 3_600
    static let synchronousMode = "NORMAL"

    let path: String
    let days: Int
    let mostBytes: Int
    /// The zone by whose days sums are kept.
    let zone: DayZone
    private let steps: [String]
    private let log: Log
    private(set) var opened: Opened?
    /// The file was found damaged; the next opening puts it aside.
    private var isBroken = false
    private var lastAside: Int?
    var nextUpkeep = LoopTime.distantPast
    /// Between two steps of retention that find little to do.
    var upkeepSeconds = 10

    /// - Parameter days: the days for which rows are kept; 0: they are not deleted by age.
    package convenience init(folder: String, days: Int, mostBytes: Int, zone: DayZone = .utc, _ log: Log) {
        self.init(folder: folder, days: days, mostBytes: mostBytes, zone: zone, steps: UsageSchema.sqliteSteps, log)
    }

    init(folder: String, days: Int, mostBytes: Int, zone: DayZone = .utc, steps: [String], _ log: Log) {
        path = "\(folder)/\(Self.fileName)"
        self.days = days
        self.mostBytes = mostBytes
        self.zone = zone
        self.steps = steps
        self.log = log
    }

    package func reopen() { opened = nil }

    package func end() { opened = nil }

    /// Throws if nothing can be written there.
    package func check() throws(UsageFailure) {
        do throws(SQLiteFailure) { _ = try ready() } catch { throw failure(error) }
    }

    package func write(_ records: ArraySlice<UsageRecord>) throws(UsageFailure) -> Int {
        let batch = records.prefix(Self.mostRecords)
        try access { opened throws(SQLiteFailure) in
            try opened.transaction { () throws(SQLiteFailure) in try insert(batch, opened) }
            try? keepUp(opened)
        }
        return batch.count
    }

    /// Calls `body` with the open file. A file that is found damaged is put aside the next time.
    func access<Result>(
        _ body: (Opened) throws(SQLiteFailure) -> Result
    ) throws(UsageFailure) -> Result {
        do throws(SQLiteFailure) {
            return try body(try ready())
        } catch {
            if error.isOfFile {
                isBroken = true
                opened = nil
            }
            throw failure(error)
        }
    }

    private func failure(_ error: SQLiteFailure) -> UsageFailure { UsageFailure("\(path): \(error.text)") }

    private func insert(_ batch: ArraySlice<UsageRecord>, _ opened: Opened) throws(SQLiteFailure) {
        // Another process may write there too, also a row with a call, which has the next id.
        let newest = try opened.last.firstNumber()
        // No id of this program is so large: the file is damaged, and no id would be left for new rows.
        guard newest < UsageSchema.idBound else {
            throw SQLiteFailure(code: SQLITE_CORRUPT, text: "the ids are used up")
        }
        var state = try opened.sums.state()
        var sums = UsageSums(zone(of: state))
        try opened.sums.catchUp(&state, to: newest, in: &sums)
        // The newest rows may have been deleted: their ids are not used again.
        var last = max(newest, state.lastID) + 1
        let records = batch.span
        var next = 0
        while next < records.count {
            let isMany = records.count - next >= Self.rowsAtOnce
            var statement = isMany ? opened.insertMany : opened.insert
            for place in next..<next + (isMany ? Self.rowsAtOnce : 1) {
                // Once: each use of a place makes a copy.
                let record = records[place]
                let id = UsageSchema.sqliteID(record, after: last)
                statement.add(id)
                record.write(to: &statement)
                record.writeCall(to: &statement)
                sums.add(record, id: id)
                state.lastID = id
                last = id + record.count - 1
                next += 1
            }
            try statement.run()
        }
        try opened.sums.write(sums)
        try opened.sums.write(state)
    }

    /// The zone of the sums: another process that uses the file may have been started with another one.
    func zone(of state: SQLiteSums.State) -> DayZone {
        state.zone == zone.name ? zone : DayZone(named: state.zone)
    }

    // MARK: The file

    private func ready() throws(SQLiteFailure) -> Opened {
        if let opened { return opened }
        if isBroken { try putAside() }
        let made: Opened
        do throws(SQLiteFailure) {
            made = try connected()
        } catch {
            guard error.isOfFile else { throw error }
            isBroken = true
            try putAside()
            made = try connected()
        }
        opened = made
        return made
    }

    private func connected() throws(SQLiteFailure) -> Opened {
        // The journal's files get the same rights.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw SQLiteFailure(code: SQLITE_CANTOPEN, text: systemError)
        }
        close(descriptor)
        let database = try SQLiteDatabase.open(path, .write, busyMilliseconds: Self.busyMilliseconds)
        try database.execute(
            """
            PRAGMA trusted_schema = OFF;
            PRAGMA auto_vacuum = INCREMENTAL;
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = \(Self.synchronousMode);
            PRAGMA journal_size_limit = \(64 << 20);
            """
        )
        try upgrade(database)
        let sums = try SQLiteSums(database)
        let table = UsageSchema.sqliteTable
        let names = ["id"] + UsageSchema.columns + UsageSchema.callColumns
        let row = "(" + names.map { _ in "?" }.joined(separator: ",") + ")"
        let rows = Array(repeating: row, count: Self.rowsAtOnce).joined(separator: ",")
        let insert = "INSERT INTO \(table) (\(names.joined(separator: ","))) VALUES "
        let opened = Opened(
            database: database,
            begin: try database.prepare("BEGIN IMMEDIATE"),
            last: try database.prepare("SELECT max(id) FROM \(table)"),
            insert: try database.prepare(insert + row),
            insertMany: try database.prepare(insert + rows),
            commit: try database.prepare("COMMIT"),
            sums: sums
        )
        try opened.transaction { () throws(SQLiteFailure) in
            var state = try sums.state()
            if state.zone != zone.name || state.isMixed { try sums.restart(&state, zone: zone.name) }
        }
        return opened
    }

    private func upgrade(_ database: SQLiteDatabase) throws(SQLiteFailure) {
        guard try version(database) < steps.count else { return }
        try database.execute("BEGIN IMMEDIATE")
        do throws(SQLiteFailure) {
            // Another process may have been faster.
            for step in steps[min(try version(database), steps.count)...] { try database.execute(step) }
            try database.execute("PRAGMA user_version = \(steps.count); COMMIT")
        } catch {
            database.rollBack()
            throw error
        }
    }

    private func version(_ database: SQLiteDatabase) throws(SQLiteFailure) -> Int {
        let version = try database.number("PRAGMA user_version")
        guard (0...steps.count).contains(version) else {
            throw SQLiteFailure(code: SQLITE_ERROR, text: SQLiteStore.newer(version, than: steps.count))
        }
        return version
    }

    static func newer(_ version: Int, than known: Int) -> String {
        "a newer relay wrote it (schema \(version), this one knows \(known)); use that relay, or another DATA_DIR"
    }

    /// Records go on in a new file; the damaged one is kept for whoever can read it.
    private func putAside() throws(SQLiteFailure) {
        let now = time(nil)
        // A disk that damages each file would be filled with them.
        if let lastAside, now - lastAside < Self.asideSeconds {
            throw SQLiteFailure(code: SQLITE_CORRUPT, text: "the file is damaged again")
        }
        let other = "\(path).broken-\(now)"
        guard rename(path, other) == 0 || errno == ENOENT else {
            throw SQLiteFailure(
                code: SQLITE_CORRUPT,
                text: "damaged, and not to be moved: \(systemError)"
            )
        }
        for end in ["-wal", "-shm"] { rename(path + end, other + end) }
        lastAside = now
        isBroken = false
        log.warning("the file of usage records is damaged; a new one is begun") { $0.add("kept_as", other) }
    }
}

extension SQLiteStore.Opened {
    /// Calls `body` in a transaction, which is undone if `body` throws.
    func transaction<Result>(_ body: () throws(SQLiteFailure) -> Result) throws(SQLiteFailure) -> Result {
        do throws(SQLiteFailure) {
            try begin.run()
            let result = try body()
            try commit.run()
            return result
        } catch {
            database.rollBack()
            throw error
        }
    }
}

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
    }

    package static let fileName = "usage.db"
    /// Of one transaction.
    private static let mostRecords = 2_000
    private static let rowsAtOnce = 8
    /// Rows that one step of retention deletes.
    private static let mostDeleted = 4_000
    private static let busyMilliseconds: Int32 = 5_000
    private static let asideSeconds = 3_600
    static let synchronousMode = "NORMAL"

    let path: String
    private let days: Int
    private let mostBytes: Int
    private let steps: [String]
    private let log: Log
    private(set) var opened: Opened?
    /// The file was found damaged; the next opening puts it aside.
    private var isBroken = false
    private var lastAside: Int?
    private var nextUpkeep = LoopTime.distantPast
    /// Between two steps of retention that find little to do.
    var upkeepSeconds = 10

    /// - Parameter days: 0: rows are not deleted by age.
    package convenience init(folder: String, days: Int, mostBytes: Int, _ log: Log) {
        self.init(folder: folder, days: days, mostBytes: mostBytes, steps: UsageSchema.sqliteSteps, log)
    }

    init(folder: String, days: Int, mostBytes: Int, steps: [String], _ log: Log) {
        path = "\(folder)/\(Self.fileName)"
        self.days = days
        self.mostBytes = mostBytes
        self.steps = steps
        self.log = log
    }

    package func reopen() { opened = nil }

    /// Throws if nothing can be written there.
    package func check() throws(UsageFailure) {
        do throws(SQLiteFailure) { _ = try ready() } catch { throw failure(error) }
    }

    package func write(_ records: ArraySlice<UsageRecord>) throws(UsageFailure) -> Int {
        let batch = records.prefix(Self.mostRecords)
        do throws(SQLiteFailure) {
            let opened = try ready()
            do throws(SQLiteFailure) {
                try opened.begin.run()
                try insert(batch, opened)
                try opened.commit.run()
            } catch {
                opened.database.rollBack()
                throw error
            }
            try? keepUp(opened.database)
        } catch {
            if error.isOfFile {
                isBroken = true
                opened = nil
            }
            throw failure(error)
        }
        return batch.count
    }

    private func failure(_ error: SQLiteFailure) -> UsageFailure { UsageFailure("\(path): \(error.text)") }

    private func insert(_ batch: ArraySlice<UsageRecord>, _ opened: Opened) throws(SQLiteFailure) {
        // Another process may write there too, also a row with a call, which has the next id.
        let newest = try opened.last.firstNumber()
        // No id of this program is so large: the file is damaged, and no id would be left for new rows.
        guard newest < UsageSchema.idBound else {
            throw SQLiteFailure(code: SQLITE_CORRUPT, text: "the ids are used up")
        }
        var last = newest + 1
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
                last = id + record.count - 1
                next += 1
            }
            try statement.run()
        }
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
        let table = UsageSchema.sqliteTable
        let names = ["id"] + UsageSchema.columns + UsageSchema.callColumns
        let row = "(" + names.map { _ in "?" }.joined(separator: ",") + ")"
        let rows = Array(repeating: row, count: Self.rowsAtOnce).joined(separator: ",")
        let insert = "INSERT INTO \(table) (\(names.joined(separator: ","))) VALUES "
        return Opened(
            database: database,
            begin: try database.prepare("BEGIN IMMEDIATE"),
            last: try database.prepare("SELECT max(id) FROM \(table)"),
            insert: try database.prepare(insert + row),
            insertMany: try database.prepare(insert + rows),
            commit: try database.prepare("COMMIT")
        )
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

    // MARK: Retention

    /// Deletes some of what is too old or too much, now and then; at each write while there is much of it.
    private func keepUp(_ database: SQLiteDatabase) throws(SQLiteFailure) {
        let now = LoopTime.current()
        guard now >= nextUpkeep else { return }
        nextUpkeep = now.adding(seconds: upkeepSeconds)
        let table = UsageSchema.sqliteTable
        if days > 0 {
            let first = UsageSchema.firstSQLiteID(at: Timestamp.now() - days * 86_400_000)
            try delete("SELECT id FROM \(table) WHERE id < \(first) ORDER BY id", database)
        }
        let pageBytes = try database.number("PRAGMA page_size")
        let pages = try database.number("PRAGMA page_count")
        let free = try database.number("PRAGMA freelist_count")
        if (pages - free) * pageBytes > mostBytes { try delete("SELECT id FROM \(table) ORDER BY id", database) }
        if pages * pageBytes > mostBytes { try database.execute("PRAGMA incremental_vacuum(1000)") }
    }

    private func delete(_ some: String, _ database: SQLiteDatabase) throws(SQLiteFailure) {
        let table = UsageSchema.sqliteTable
        try database.execute("DELETE FROM \(table) WHERE id IN (\(some) LIMIT \(Self.mostDeleted))")
        if database.changes == Self.mostDeleted { nextUpkeep = .distantPast }
    }
}

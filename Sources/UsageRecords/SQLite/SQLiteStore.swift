import CSQLite
import Engine
import Glibc
package import Shared

/// A store of usage records in the SQLite file `usage.db`.
///
/// Written records survive the end of the process, but a power failure may lose the records of the last seconds.
///
/// `@unchecked`: used by one thread at a time; after startup, only by the thread of its queue.
package final class SQLiteStore: EditableUsageStore, @unchecked Sendable {
    struct OpenDatabase {
        let database: SQLiteDatabase
        let begin: SQLiteStatement
        let last: SQLiteStatement
        let insert: SQLiteStatement
        /// The statement that inserts `rowsAtOnce` rows together. It takes a sixth less time per row than `insert`.
        let insertMany: SQLiteStatement
        let insertBodies: SQLiteStatement
        let commit: SQLiteStatement
        let sums: SQLiteSums
        fileprivate let file: FileNumber

        /// Whether this file is no longer the one at `path`: it was deleted or replaced.
        fileprivate func isGone(from path: String) -> Bool {
            var found = stat()
            return stat(path, &found) == 0 ? FileNumber(found) != file : errno == ENOENT
        }
    }

    package static let fileName = "usage.db"
    /// The largest number of requests that are written in one transaction.
    private static let maxRequests = 2_000
    private static let rowsAtOnce = 8
    /// The largest number of old rows that are deleted in one step.
    static let maxDeleted = 4_000
    private static let busyMilliseconds: Int32 = 5_000
    private static let asideSeconds = 3_600
    static let synchronousMode = "NORMAL"

    let path: String
    let days: Int
    let maxBytes: Int
    /// The time zone in this relay's settings. The daily sums can use another zone; see `zone(of:)`.
    let zone: DayZone
    private let steps: [String]
    private let log: Log
    private(set) var opened: OpenDatabase?
    /// Whether the file is damaged. It is then renamed before a new file is opened.
    private var isBroken = false
    private var lastAside: Int?
    var nextUpkeep = LoopTime.distantPast
    var copyCleaning = CopyCleaning()
    /// The pause between two steps of background work if there is little to do, in seconds.
    var upkeepSeconds = 10

    /// Creates the store without opening the file.
    /// - Parameter days: the number of days after which rows are deleted; 0 for no limit.
    package convenience init(folder: String, days: Int, maxBytes: Int, zone: DayZone = .utc, _ log: Log) {
        self.init(folder: folder, days: days, maxBytes: maxBytes, zone: zone, steps: UsageSchema.sqliteSteps, log)
    }

    init(folder: String, days: Int, maxBytes: Int, zone: DayZone = .utc, steps: [String], _ log: Log) {
        path = "\(folder)/\(Self.fileName)"
        self.days = days
        self.maxBytes = maxBytes
        self.zone = zone
        self.steps = steps
        self.log = log
    }

    package func reopen() { opened = nil }

    package func end() { opened = nil }

    /// Opens the file. Throws if the file cannot be written.
    ///
    /// A full or failing disk and a locked file are only a warning: the first write opens the file again. The file of a
    /// newer relay is renamed, and a new file is started, so that an older relay can be installed again.
    package func check() throws(UsageFailure) {
        do throws(SQLiteFailure) {
            do throws(SQLiteFailure) {
                _ = try ready()
            } catch {
                guard error.isOfNewerRelay else { throw error }
                try renameFile("newer", "a newer relay wrote the file of usage records; a new file is started")
                _ = try ready()
            }
        } catch {
            let failure = failure(error)
            guard error.mayPass else { throw failure }
            log.warning("the file of usage records cannot be opened yet") { $0.add("cause", failure.cause) }
        }
    }

    package func write(_ requests: ArraySlice<FinishedRequest>) throws(UsageFailure) -> Int {
        let batch = requests.prefix(Self.maxRequests)
        try access { opened throws(SQLiteFailure) in
            try opened.transaction { () throws(SQLiteFailure) in try insert(batch, opened) }
            try? keepUp(opened)
        }
        return batch.count
    }

    /// Calls `body` with the open file. Closes a damaged file, which the next access renames.
    func access<Result>(
        _ body: (OpenDatabase) throws(SQLiteFailure) -> Result
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

    private func insert(_ batch: ArraySlice<FinishedRequest>, _ opened: OpenDatabase) throws(SQLiteFailure) {
        // Another process may also write to the file, including a row with a call, which has the next id.
        let newest = try opened.last.firstNumber()
        var state = try opened.sums.state()
        // This program never creates such a large id, so the file is damaged, and no ids would be left for new rows.
        guard max(newest, state.lastID) < UsageSchema.idBound else {
            throw SQLiteFailure(code: SQLITE_CORRUPT, text: "no ids are left")
        }
        var sums = UsageSums(zone(of: state))
        try opened.sums.catchUp(&state, to: newest, in: &sums)
        // The newest rows may have been deleted. Their ids are not used again.
        var last = max(newest, state.lastID) + 1
        var rowsLeft = batch.reduce(0) { $0 + 1 + $1.calls.count }
        // The statement that gets the next row, and the number of rows that it still needs.
        var (statement, room) = (opened.insert, 0)
        func insert(_ record: UsageRecord) throws(SQLiteFailure) {
            if room == 0 {
                let isMany = rowsLeft >= Self.rowsAtOnce
                (statement, room) = isMany ? (opened.insertMany, Self.rowsAtOnce) : (opened.insert, 1)
            }
            let id = UsageSchema.sqliteID(record, after: last)
            statement.add(id)
            UsageColumn.inSQLite.write(record, to: &statement)
            sums.add(record, id: id)
            state.lastID = id
            last = id + record.count - 1
            (rowsLeft, room) = (rowsLeft - 1, room - 1)
            if room == 0 { try statement.run() }
        }
        var allBodies: [(id: Int, bodies: KeptBodies)] = []
        for request in batch {
            try insert(request.record)
            if let bodies = request.bodies { allBodies.append((state.lastID, bodies)) }
            for call in request.calls { try insert(call) }
        }
        for (id, bodies) in allBodies {
            opened.insertBodies.add(id)
            opened.insertBodies.add(bodies.request)
            opened.insertBodies.add(bodies.response)
            try opened.insertBodies.run()
        }
        try opened.sums.write(sums)
        try opened.sums.write(state)
    }

    /// Returns the time zone of the daily sums, which another process may have set.
    func zone(of state: SQLiteSums.State) -> DayZone { state.zone == zone.name ? zone : DayZone(named: state.zone) }

    // MARK: The file

    private func ready() throws(SQLiteFailure) -> OpenDatabase {
        if opened?.isGone(from: path) ?? false {
            log.warning("the file of usage records was deleted or replaced; records go to a new file") {
                $0.add("file", path)
            }
            // The former file is closed before its name is used again.
            opened = nil
        }
        if let opened { return opened }
        if isBroken { try renameDamagedFile() }
        let made: OpenDatabase
        do throws(SQLiteFailure) {
            made = try connected()
        } catch {
            guard error.isOfFile else { throw error }
            isBroken = true
            try renameDamagedFile()
            made = try connected()
        }
        opened = made
        return made
    }

    private func connected() throws(SQLiteFailure) -> OpenDatabase {
        // The files of the journal get the same permissions.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            let isOfDisk = [ENOSPC, EDQUOT, EIO].contains(errno)
            throw SQLiteFailure(code: isOfDisk ? SQLITE_IOERR : SQLITE_CANTOPEN, text: systemError)
        }
        var found = stat()
        fstat(descriptor, &found)
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
        let names = ["id"] + UsageColumn.inSQLite.map(\.name)
        let row = "(" + names.map { _ in "?" }.joined(separator: ",") + ")"
        let rows = Array(repeating: row, count: Self.rowsAtOnce).joined(separator: ",")
        let insert = "INSERT INTO \(table) (\(names.joined(separator: ","))) VALUES "
        let opened = OpenDatabase(
            database: database,
            begin: try database.prepare("BEGIN IMMEDIATE"),
            last: try database.prepare("SELECT max(id) FROM \(table)"),
            insert: try database.prepare(insert + row),
            insertMany: try database.prepare(insert + rows),
            insertBodies: try database.prepare(
                "INSERT INTO bodies VALUES (?, ?, ?)",
                textLimitBytes: KeptBodies.maxBytes
            ),
            commit: try database.prepare("COMMIT"),
            sums: sums,
            file: FileNumber(found)
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
            // Another process may have upgraded the file first.
            for step in steps[min(try version(database), steps.count)...] { try database.execute(step) }
            try database.execute("PRAGMA user_version = \(steps.count); COMMIT")
        } catch {
            database.rollBack()
            throw error
        }
    }

    private func version(_ database: SQLiteDatabase) throws(SQLiteFailure) -> Int {
        let version = try database.number("PRAGMA user_version")
        guard (0...steps.count).contains(version) else { throw .newer(version, than: steps.count) }
        return version
    }

    /// Renames the damaged file for recovery by hand. Later records go to a new file.
    private func renameDamagedFile() throws(SQLiteFailure) {
        let now = time(nil)
        // On a disk that damages every file, renaming would fill the disk.
        if let lastAside, now - lastAside < Self.asideSeconds {
            throw SQLiteFailure(code: SQLITE_CORRUPT, text: "the file is damaged again")
        }
        try renameFile("broken", "the file of usage records is damaged; a new file is started")
        lastAside = now
        isBroken = false
    }

    /// Renames the file to `usage.db.<reason>-<time>`, and logs a warning with the new name.
    private func renameFile(_ reason: String, _ warning: StaticString) throws(SQLiteFailure) {
        let other = "\(path).\(reason)-\(time(nil))"
        guard rename(path, other) == 0 || errno == ENOENT else {
            throw SQLiteFailure(code: SQLITE_CORRUPT, text: "the file is \(reason) and cannot be moved: \(systemError)")
        }
        for end in ["-wal", "-shm"] { rename(path + end, other + end) }
        log.warning(warning) { $0.add("kept_as", other) }
    }
}

extension SQLiteStore.OpenDatabase {
    /// Calls `body` in a transaction. If `body` throws, the transaction is rolled back.
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

/// The number of a file on its device, which the file keeps when it is renamed.
private struct FileNumber: Equatable {
    private let device: dev_t
    private let number: ino_t

    init(_ found: stat) { (device, number) = (found.st_dev, found.st_ino) }
}

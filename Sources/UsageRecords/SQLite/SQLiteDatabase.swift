import CSQLite
import Engine
import Glibc
import Shared

struct SQLiteFailure: UsageDatabaseFailure {
    let code: Int32
    let text: String

    /// Whether the file is damaged or is not an SQLite database.
    var isOfFile: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB }

    /// Whether the file may become usable again by itself: its disk is full or failed, or another process locks it.
    var mayPass: Bool { [SQLITE_FULL, SQLITE_IOERR, SQLITE_BUSY, SQLITE_LOCKED].contains(code & 0xff) }

    /// Whether a statement was stopped because its time limit had passed.
    var isInterrupt: Bool { code == SQLITE_INTERRUPT }

    /// Whether a newer relay wrote the file. SQLite itself does not use this code.
    var isOfNewerRelay: Bool { code == SQLITE_FORMAT }

    /// Makes the error for a file of a newer relay.
    static func newer(_ version: Int, than known: Int) -> Self {
        Self(
            code: SQLITE_FORMAT,
            text:
                "a newer relay wrote the file (schema \(version); this relay supports \(known)); use the newer relay, or another DATA_DIR"
        )
    }
}

/// A connection to an SQLite file, used by one thread at a time.
final class SQLiteDatabase {
    enum Access {
        /// Access for reading and writing. The file is created if it is missing.
        case write
        case read
        /// Access for reading a file to which no process writes, in a read-only folder.
        case readImmutable
    }

    private let handle: OpaquePointer
    /// The time limit for running statements. SQLite keeps the address of this object.
    private let deadline = SQLiteDeadline()

    private init(_ handle: OpaquePointer) { self.handle = handle }

    /// Closes the connection. SQLite itself waits until all statements of the connection are finalized.
    deinit {
        sqlite3_progress_handler(handle, 0, nil, nil)
        sqlite3_close_v2(handle)
    }

    /// Sets a time limit for statements; nil removes it. A slower statement throws a failure whose `isInterrupt` is
    /// true.
    func interrupt(at end: LoopTime?) {
        deadline.end = end ?? .distantFuture
        let isSet = end != nil
        sqlite3_progress_handler(
            handle,
            isSet ? Self.opcodesPerCheck : 0,
            isSet ? isOver : nil,
            Unmanaged.passUnretained(deadline).toOpaque()
        )
    }

    /// The number of SQLite instructions between two checks of the time limit (about 0.1 ms).
    private static let opcodesPerCheck: Int32 = 5_000

    static func open(_ path: String, _ access: Access, busyMilliseconds: Int32) throws(SQLiteFailure) -> SQLiteDatabase
    {
        let flags =
            switch access {
            case .write: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
            case .read: SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
            case .readImmutable: SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI
            }
        _ = isPrepared
        let name = access == .readImmutable ? "file:\(path.utf8.percentEncoded(except: "/."))?immutable=1" : path
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(name, &handle, flags, nil)
        guard let handle else { throw SQLiteFailure(code: code, text: "out of memory") }
        let database = SQLiteDatabase(handle)
        guard code == SQLITE_OK else { throw database.failure(code) }
        sqlite3_busy_timeout(handle, busyMilliseconds)
        let added = SQLiteKeywords.add(to: handle)
        guard added == SQLITE_OK else { throw database.failure(added) }
        return database
    }

    /// Whether SQLite's memory statistics are off in this process. The first use of this property turns them off,
    /// because they would take a lock for each allocation.
    private static let isPrepared = relay_sqlite_count_no_memory() == SQLITE_OK

    /// Runs one or more SQL statements without parameters.
    func execute(_ sql: String) throws(SQLiteFailure) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// Runs a query and returns the number in the first column of its first row; 0 if there is no row or it is NULL.
    func number(_ sql: String) throws(SQLiteFailure) -> Int { try prepare(sql).firstNumber() }

    /// Prepares a statement. Bound texts longer than `textLimitBytes` are cut.
    func prepare(_ sql: String, textLimitBytes: Int = UsageRecord.textBound) throws(SQLiteFailure) -> SQLiteStatement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(code) }
        return SQLiteStatement(statement, of: self, textLimitBytes)
    }

    func prepare(_ sql: String, _ values: [FilterSQL.Value]) throws(SQLiteFailure) -> SQLiteStatement {
        let statement = try prepare(sql)
        statement.bind(values)
        return statement
    }

    /// Rolls back the open transaction. Does nothing if no transaction is open.
    func rollBack() {
        if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    fileprivate func failure(_ code: Int32) -> SQLiteFailure {
        SQLiteFailure(code: code & 0xff, text: String(cString: sqlite3_errmsg(handle)))
    }
}

/// The time at which the running statement is stopped, at an address that SQLite can keep.
private final class SQLiteDeadline {
    var end = LoopTime.distantFuture
}

/// Returns 1 if the time limit in `context` has passed, otherwise 0. SQLite calls this while a statement runs, and
/// stops the statement after 1.
private func isOver(_ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let context else { return 0 }
    return Unmanaged<SQLiteDeadline>.fromOpaque(context).takeUnretainedValue().end < .current() ? 1 : 0
}

/// A prepared statement that can be run repeatedly, used by one thread at a time.
final class SQLiteStatement {
    /// The value that is bound to a parameter. An equal next value is not bound again.
    private enum Value {
        case null
        case number(Int)
        case text(bytes: Int)
    }

    private let handle: OpaquePointer
    private let database: SQLiteDatabase
    private let values: UnsafeMutableBufferPointer<Value>
    /// The memory for bound texts: `textLimitBytes` for each parameter. SQLite keeps the addresses of the texts.
    private let texts: UnsafeMutableRawPointer
    private let textLimitBytes: Int
    /// The index of the parameter for the next value, from 0.
    private var next = 0

    fileprivate init(_ handle: OpaquePointer, of database: SQLiteDatabase, _ textLimitBytes: Int) {
        self.handle = handle
        self.textLimitBytes = textLimitBytes
        self.database = database
        values = .allocate(capacity: Int(sqlite3_bind_parameter_count(handle)))
        values.initialize(repeating: .null)
        texts = .allocate(byteCount: values.count * textLimitBytes, alignment: 1)
    }

    deinit {
        sqlite3_finalize(handle)
        values.deallocate()
        texts.deallocate()
    }

    /// Runs the statement up to its next row. Returns false if there are no more rows.
    func step() throws(SQLiteFailure) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            let failure = database.failure(code)
            reset()
            throw failure
        }
    }

    /// Ends the run of a statement, even if it has more rows. The next value is bound to the first parameter again.
    func end() { reset() }

    private func reset() {
        sqlite3_reset(handle)
        next = 0
    }

    /// Runs the statement to its end. Binding then begins again at the first parameter.
    func run() throws(SQLiteFailure) {
        while try step() {}
        reset()
    }

    /// Runs the statement and returns the number in the first column of its first row; 0 if there is none.
    func firstNumber() throws(SQLiteFailure) -> Int {
        defer { reset() }
        return try step() ? number(0) ?? 0 : 0
    }

    /// Returns a number in the current row; nil if it is NULL. Columns begin at 0.
    func number(_ column: Int32) -> Int? {
        sqlite3_column_type(handle, column) == SQLITE_NULL ? nil : Int(sqlite3_column_int64(handle, column))
    }

    func text(_ column: Int32) -> String? {
        guard let text = sqlite3_column_text(handle, column) else { return nil }
        let bytes = UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(handle, column)))
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension SQLiteStatement: UsageCells {
    func add(_ number: Int?) {
        guard let number else { return addNull() }
        switch values[next] {
        case .number(number): break
        default:
            values[next] = .number(number)
            sqlite3_bind_int64(handle, Int32(next + 1), Int64(number))
        }
        next += 1
    }

    func add(_ flag: Bool) { add(flag ? 1 : 0) }

    func bind(_ values: [FilterSQL.Value]) {
        for value in values {
            switch value {
            case .number(let number): add(number)
            case .text(let text): add(text)
            }
        }
    }

    /// Binds a text to the next parameter; NULL if nil. Long texts are cut, and zero bytes become `?`.
    func add(_ text: String?) {
        guard let text else { return addNull() }
        if text.utf8.count <= textLimitBytes,
            text.utf8.withContiguousStorageIfAvailable({ add(UnsafeRawBufferPointer($0)) }) != nil
        {
            return
        }
        text.beginning(ofBytes: textLimitBytes).withBytes { add($0) }
    }

    private func addNull() {
        switch values[next] {
        case .null: break
        default:
            values[next] = .null
            sqlite3_bind_null(handle, Int32(next + 1))
        }
        next += 1
    }

    private func add(_ text: UnsafeRawBufferPointer) {
        let start = texts + next * textLimitBytes
        defer { next += 1 }
        let count = text.count
        if let base = text.baseAddress {
            if case .text(count) = values[next], memcmp(start, base, count) == 0 { return }
            start.copyMemory(from: base, byteCount: count)
        }
        values[next] = .text(bytes: count)
        while let zero = memchr(start, 0, count) { zero.storeBytes(of: UInt8(ascii: "?"), as: UInt8.self) }
        sqlite3_bind_text(handle, Int32(next + 1), start.assumingMemoryBound(to: CChar.self), Int32(count), nil)
    }
}

import CSQLite
import Engine
import Glibc

/// The error of a call of SQLite.
struct SQLiteFailure: Error {
    let code: Int32
    let text: String

    /// The file is damaged, or no database.
    var isOfFile: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB }
}

/// A connection to an SQLite file. Used by one thread at a time.
final class SQLiteDatabase {
    enum Access {
        /// Makes the file if there is none.
        case write
        case read
        /// Of a file that nobody writes, in a folder where nothing can be made.
        case readAlone
    }

    private let handle: OpaquePointer

    private init(_ handle: OpaquePointer) { self.handle = handle }

    /// Statements that are left are ended first.
    deinit { sqlite3_close_v2(handle) }

    static func open(_ path: String, _ access: Access, busyMilliseconds: Int32) throws(SQLiteFailure) -> SQLiteDatabase
    {
        let flags =
            switch access {
            case .write: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
            case .read: SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
            case .readAlone: SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI
            }
        _ = isPrepared
        let name = access == .readAlone ? "file:\(encoded(path))?immutable=1" : path
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(name, &handle, flags, nil)
        guard let handle else { throw SQLiteFailure(code: code, text: "out of memory") }
        let database = SQLiteDatabase(handle)
        guard code == SQLITE_OK else { throw database.failure(code) }
        sqlite3_busy_timeout(handle, busyMilliseconds)
        return database
    }

    /// SQLite does not count its memory, which would take a lock at each turn.
    private static let isPrepared = relay_sqlite_count_no_memory() == SQLITE_OK

    /// For a URI.
    private static func encoded(_ path: String) -> String {
        path.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "/"), UInt8(ascii: "."), 48...57, 65...90, 97...122: String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        .joined()
    }

    /// One statement or several.
    func execute(_ sql: String) throws(SQLiteFailure) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// The first value of the first row; 0: there is none.
    func number(_ sql: String) throws(SQLiteFailure) -> Int {
        let statement = try prepare(sql)
        return try statement.step() ? statement.number(0) ?? 0 : 0
    }

    func prepare(_ sql: String) throws(SQLiteFailure) -> SQLiteStatement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw failure(code) }
        return SQLiteStatement(statement, of: self)
    }

    /// Rows that the last statement changed.
    var changes: Int { Int(sqlite3_changes64(handle)) }

    /// Undoes a transaction that has begun; else nothing.
    func rollBack() {
        if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    fileprivate func failure(_ code: Int32) -> SQLiteFailure {
        SQLiteFailure(code: code & 0xff, text: String(cString: sqlite3_errmsg(handle)))
    }
}

/// A statement that is used again and again. Used by one thread at a time.
final class SQLiteStatement {
    private let handle: OpaquePointer
    private let database: SQLiteDatabase
    /// The texts of the values that were added; SQLite keeps their addresses.
    private let texts: UnsafeMutableRawPointer
    private var textBytes = 0
    private var values: Int32 = 0
    private static let mostTextBytes = 16 << 10

    fileprivate init(_ handle: OpaquePointer, of database: SQLiteDatabase) {
        self.handle = handle
        self.database = database
        texts = .allocate(byteCount: Self.mostTextBytes, alignment: 1)
    }

    deinit {
        sqlite3_finalize(handle)
        texts.deallocate()
    }

    /// False: there are no more rows.
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

    /// The next values are of another row.
    func reset() {
        sqlite3_reset(handle)
        (textBytes, values) = (0, 0)
    }

    /// - Parameter column: from 0.
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
        values += 1
        if let number { sqlite3_bind_int64(handle, values, Int64(number)) } else { sqlite3_bind_null(handle, values) }
    }

    func add(_ flag: Bool) { add(flag ? 1 : 0) }

    /// Bounded, and without the byte 0.
    func add(_ text: String?) {
        guard let text else { return add(nil as Int?) }
        values += 1
        let most = min(UsageRecord.textBound, Self.mostTextBytes - textBytes)
        var cut = text.utf8.count > most ? text.beginning(ofBytes: most) : text
        let start = texts + textBytes
        let count = cut.withUTF8 { bytes in
            if let base = bytes.baseAddress { start.copyMemory(from: base, byteCount: bytes.count) }
            return bytes.count
        }
        textBytes += count
        while let zero = memchr(start, 0, count) { zero.storeBytes(of: UInt8(ascii: "?"), as: UInt8.self) }
        sqlite3_bind_text(handle, values, start.assumingMemoryBound(to: CChar.self), Int32(count), nil)
    }
}

import CSQLite
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
        let name = access == .readAlone ? "file:\(encoded(path))?immutable=1" : path
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(name, &handle, flags, nil)
        guard let handle else { throw SQLiteFailure(code: code, text: "out of memory") }
        let database = SQLiteDatabase(handle)
        guard code == SQLITE_OK else { throw database.failure(code) }
        sqlite3_busy_timeout(handle, busyMilliseconds)
        return database
    }

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

    fileprivate init(_ handle: OpaquePointer, of database: SQLiteDatabase) {
        self.handle = handle
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    /// - Parameter place: from 1.
    func bind(_ place: Int32, _ number: Int?) {
        if let number { sqlite3_bind_int64(handle, place, Int64(number)) } else { sqlite3_bind_null(handle, place) }
    }

    /// The bytes have to be there until the statement is reset.
    func bind(_ place: Int32, kept text: UnsafeRawBufferPointer) {
        sqlite3_bind_text(handle, place, text.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(text.count), nil)
    }

    /// False: there are no more rows.
    func step() throws(SQLiteFailure) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            let failure = database.failure(code)
            sqlite3_reset(handle)
            throw failure
        }
    }

    func reset() { sqlite3_reset(handle) }

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

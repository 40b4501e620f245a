import Engine
import Limits
import Shared

/// A database's table of copies of limits' records.
protocol CopyTable: Sendable {
    func copies(_ keys: [String]) throws(UsageFailure) -> [RecordCopy]
    func save(_ copies: [RecordCopy]) throws(UsageFailure)
}

enum CopySQL {
    static let columns = "key, birth, version, changed, expires, record"
    /// The largest size of an encoded record as text, in bytes.
    static let textBound = 8_192

    /// Returns the end of a statement that inserts copies: an older copy does not take the place of a newer one.
    static func unlessNewer(in table: String) -> String {
        """
        ON CONFLICT (key) DO UPDATE SET birth = excluded.birth, version = excluded.version, changed = excluded.changed, \
        expires = excluded.expires, record = excluded.record \
        WHERE CASE WHEN \(table).birth = excluded.birth THEN \(table).version < excluded.version \
        ELSE \(table).changed < excluded.changed END
        """
    }
}

/// The times at which expired copies are deleted: at the start and once an hour.
struct CopyCleaning {
    private var nextAt = LoopTime.distantPast

    /// Returns the statement that deletes expired copies if it is time for it.
    mutating func statement(deletingFrom table: String) -> String? {
        let now = LoopTime.current()
        if now < nextAt { return nil }
        nextAt = now.adding(seconds: 3_600)
        return "DELETE FROM \(table) WHERE expires < \(Timestamp.now())"
    }
}

extension RecordCopy {
    init?(_ key: String?, _ birth: Int?, _ version: Int?, _ record: String?) {
        guard let key, let birth, let version, let bytes = record.flatMap({ Base64.standard.bytes($0.utf8) }) else {
            return nil
        }
        self.init(
            key: key,
            birth: UInt64(bitPattern: Int64(birth)),
            version: UInt64(bitPattern: Int64(version)),
            record: bytes
        )
    }

    /// Adds the values of the copy's row in the order of `CopySQL.columns`.
    func write(to row: inout some UsageCells) {
        row.add(key)
        row.add(Int(Int64(bitPattern: birth)))
        row.add(Int(Int64(bitPattern: version)))
        row.add(milliseconds)
        row.add(milliseconds + expirySeconds * 1_000)
        row.add(Base64.standard.text(record))
    }
}

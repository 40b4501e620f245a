import Engine
package import Limits

/// The copies of limits' records in the database of usage records. The thread that writes usage records does the work.
package struct StoredCopies: RecordCopies {
    let queue: UsageQueue
    let table: any CopyTable

    package func read(_ keys: [String]) throws(StoreFailure) -> [RecordCopy] {
        try onQueue { () throws(UsageFailure) in try table.copies(keys) }
    }

    package func save(_ copies: [RecordCopy]) throws(StoreFailure) {
        try onQueue { () throws(UsageFailure) in try table.save(copies) }
    }

    private func onQueue<Value: Sendable>(
        _ work: @escaping @Sendable () throws(UsageFailure) -> Value
    ) throws(StoreFailure) -> Value {
        do throws(UsageFailure) {
            return try RecordStore.result(on: queue, of: work)
        } catch {
            throw StoreFailure(reason: error.cause)
        }
    }
}

/// A database's table of copies of limits' records.
protocol CopyTable: Sendable {
    func copies(_ keys: [String]) throws(UsageFailure) -> [RecordCopy]
    func save(_ copies: [RecordCopy]) throws(UsageFailure)
}

/// The SQL of the table of copies.
enum CopySQL {
    static let columns = "key, birth, version, saved, expires, record"
    /// The largest size of an encoded record as text, in bytes.
    static let textBound = 8_192

    /// Returns the end of a statement that inserts copies: an older copy does not take the place of a newer one.
    static func unlessNewer(in table: String) -> String {
        """
        ON CONFLICT (key) DO UPDATE SET birth = excluded.birth, version = excluded.version, saved = excluded.saved, \
        expires = excluded.expires, record = excluded.record \
        WHERE CASE WHEN \(table).birth = excluded.birth THEN \(table).version < excluded.version \
        ELSE \(table).saved < excluded.saved END
        """
    }
}

extension RecordCopy {
    /// Creates a copy from a row's key, birth, version and record.
    init?(_ key: String?, _ birth: Int?, _ version: Int?, _ record: String?) {
        guard let key, let birth, let version, let bytes = record.flatMap({ Base64.standard.bytes($0.utf8) }) else {
            return nil
        }
        self.init(
            key: key,
            birth: UInt64(bitPattern: Int64(birth)),
            version: UInt64(bitPattern: Int64(version)),
            expirySeconds: 0,
            record: bytes
        )
    }

    /// Adds the values of the copy's row in the order of `CopySQL.columns`.
    func write(to row: inout some UsageCells, at milliseconds: Int) {
        row.add(key)
        row.add(Int(Int64(bitPattern: birth)))
        row.add(Int(Int64(bitPattern: version)))
        row.add(milliseconds)
        row.add(milliseconds + expirySeconds * 1_000)
        row.add(Base64.standard.text(record))
    }
}

extension SQLiteStore: CopyTable {
    func copies(_ keys: [String]) throws(UsageFailure) -> [RecordCopy] {
        try access { opened throws(SQLiteFailure) in
            let select = try opened.database.prepare("SELECT key, birth, version, record FROM limits WHERE key = ?")
            var found: [RecordCopy] = []
            for key in keys {
                select.add(key)
                if try select.step(),
                    let copy = RecordCopy(select.text(0), select.number(1), select.number(2), select.text(3))
                {
                    found.append(copy)
                }
                select.end()
            }
            return found
        }
    }

    func save(_ copies: [RecordCopy]) throws(UsageFailure) {
        let now = Timestamp.now()
        try access { opened throws(SQLiteFailure) in
            let insert = "INSERT INTO limits (\(CopySQL.columns)) VALUES (?, ?, ?, ?, ?, ?)"
            var row = try opened.database.prepare(
                "\(insert) \(CopySQL.unlessNewer(in: "limits"))",
                textLimitBytes: CopySQL.textBound
            )
            try opened.transaction { () throws(SQLiteFailure) in
                for copy in copies {
                    copy.write(to: &row, at: now)
                    try row.run()
                }
            }
        }
    }
}

extension PostgresStore: CopyTable {
    func copies(_ keys: [String]) throws(UsageFailure) -> [RecordCopy] {
        var array = UsageArrays(columns: 1, isPlain: false)
        for key in keys {
            array.begin()
            array.add(key)
        }
        let values = PostgresValues()
        array.end(in: values)
        let sql = "SELECT key, birth, version, record FROM relay_limits WHERE key = ANY ($1::text[])"
        return try access { connection throws(PostgresFailure) in
            try connection.run(sql, values).compactMap { row in
                RecordCopy(row[0], row[1].flatMap { Int($0) }, row[2].flatMap { Int($0) }, row[3])
            }
        }
    }

    func save(_ copies: [RecordCopy]) throws(UsageFailure) {
        let now = Timestamp.now()
        var arrays = UsageArrays(columns: 6, isPlain: false, textLimitBytes: CopySQL.textBound)
        for copy in copies {
            arrays.begin()
            copy.write(to: &arrays, at: now)
        }
        let values = PostgresValues()
        arrays.end(in: values)
        let rows = "unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])"
        let insert = "INSERT INTO relay_limits (\(CopySQL.columns)) SELECT * FROM \(rows)"
        try access { connection throws(PostgresFailure) in
            _ = try connection.run("\(insert) \(CopySQL.unlessNewer(in: "relay_limits"))", values)
        }
    }
}

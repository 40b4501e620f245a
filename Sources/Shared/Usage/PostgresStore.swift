import Engine
import Glibc

/// Usage records in a PostgreSQL database, which several relays may share. While the server is away, the connection is
/// opened anew at each try.
///
/// `@unchecked`: used by the thread of its queue only.
package final class PostgresStore: UsageStore, @unchecked Sendable {
    /// Waits for the server.
    struct Patience: Sendable {
        var connectSeconds = 3
        var statementMilliseconds = 5_000
    }

    /// Of one transaction; each may be two rows.
    private static let mostRecords = 500
    /// Rows that one step of retention deletes.
    private static let mostDeleted = 5_000
    private static let upkeepSeconds = 60
    /// For the lock under which the tables are made: any number that others do not use.
    private static let lock = 7_031_912_844_551
    private static let versionTable = "relay_usage_version"

    private let address: PostgresAddress
    private let days: Int
    private let patience: Patience
    private let steps: [String]
    private let log: Log
    private var connection: PostgresConnection?
    /// With `written`, each record has a number of its own: what is written again, since nobody knows if it was, is there
    /// once.
    private let process = Int(truncatingIfNeeded: RandomBytes().next() >> 1)
    private var written = 0
    private var nextUpkeep = LoopTime.distantPast
    private var hasWarned = false

    /// Throws if the URL is none that libpq takes. Connects at the first record.
    ///
    /// - Parameter days: 0: rows are not deleted by age.
    package convenience init(url: String, days: Int, _ log: Log) throws(UsageFailure) {
        try self.init(url: url, days: days, Patience(), steps: UsageSchema.postgresSteps, log)
    }

    init(url: String, days: Int, _ patience: Patience, steps: [String], _ log: Log) throws(UsageFailure) {
        address = try Self.address(url)
        self.days = days
        self.patience = patience
        self.steps = steps
        self.log = log
    }

    static func address(_ url: String) throws(UsageFailure) -> PostgresAddress {
        guard let address = PostgresAddress(url) else {
            let form = "postgres://user:password@host:5432/database?sslmode=verify-full"
            throw UsageFailure("USAGE_DATABASE_URL: libpq does not take it; write it as \(form)")
        }
        return address
    }

    package func reopen() { connection = nil }

    package func write(_ records: ArraySlice<UsageRecord>) throws(UsageFailure) -> Int {
        let batch = records.prefix(Self.mostRecords)
        do throws(PostgresFailure) {
            let connection = try connected()
            do throws(PostgresFailure) {
                try insert(batch, isPlain: false, connection)
            } catch {
                guard error.isOfData else { throw error }
                // The database has another encoding than UTF-8, in which some character has no place.
                try insert(batch, isPlain: true, connection)
            }
            written += batch.recordCount
            keepUp(connection)
        } catch {
            connection = nil
            throw UsageFailure(error.text)
        }
        return batch.count
    }

    private func insert(
        _ batch: ArraySlice<UsageRecord>,
        isPlain: Bool,
        _ connection: PostgresConnection
    ) throws(PostgresFailure) {
        let types = ["bigint"] + UsageSchema.postgresTypes
        let arrays = types.enumerated().map { "$\($0 + 2)::\($1)[]" }.joined(separator: ",")
        let names = UsageSchema.columns.joined(separator: ",")
        let sql = """
            INSERT INTO \(UsageSchema.postgresTable) (process, number, \(names)) \
            SELECT $1::bigint, * FROM unnest(\(arrays)) ON CONFLICT DO NOTHING
            """
        _ = try connection.run(sql, values(of: batch, isPlain: isPlain))
    }

    /// The process's number, then an array for each column.
    private func values(of batch: ArraySlice<UsageRecord>, isPlain: Bool) -> PostgresValues {
        var arrays = UsageArrays(columns: 1 + UsageSchema.columns.count, isPlain: isPlain)
        var number = written
        for record in batch {
            for record in [record, record.onlyCall].compactMap(\.self) {
                arrays.begin()
                arrays.add(number)
                record.write(to: &arrays)
                number += 1
            }
        }
        let values = PostgresValues()
        values.bytes.append(decimal: process)
        values.end(of: 0)
        arrays.end(in: values)
        return values
    }

    // MARK: The tables

    private func connected() throws(PostgresFailure) -> PostgresConnection {
        if let connection { return connection }
        let made = try PostgresConnection.open(
            address,
            connectSeconds: patience.connectSeconds,
            timeoutMilliseconds: patience.statementMilliseconds
        )
        if try version(made) < steps.count { try upgrade(made) }
        connection = made
        return made
    }

    /// Of the tables; 0: there are none.
    private func version(_ connection: PostgresConnection) throws(PostgresFailure) -> Int {
        let hasTable = try connection.run("SELECT to_regclass('\(Self.versionTable)')").first?.first ?? nil
        guard hasTable != nil else { return 0 }
        let found = try connection.run("SELECT max(version) FROM \(Self.versionTable)").first?.first ?? nil
        let version = found.flatMap { Int($0) } ?? 0
        guard version <= steps.count else {
            let cause =
                "a newer relay made the tables (schema \(version), this one knows \(steps.count)); use that relay"
            throw PostgresFailure(text: cause)
        }
        return version
    }

    /// All steps that the tables lack, or none. One relay at a time.
    private func upgrade(_ connection: PostgresConnection) throws(PostgresFailure) {
        _ = try connection.run("BEGIN; SELECT pg_advisory_xact_lock(\(Self.lock))")
        // Another relay may have been faster.
        for (place, step) in steps.enumerated().dropFirst(try version(connection)) {
            _ = try connection.run("CREATE TABLE IF NOT EXISTS \(Self.versionTable) (version integer NOT NULL)")
            _ = try connection.run(step)
            _ = try connection.run("INSERT INTO \(Self.versionTable) VALUES (\(place + 1))")
        }
        _ = try connection.run("COMMIT")
    }

    // MARK: Retention

    /// Deletes some of what is too old, now and then; at each write while there is much of it. Relays that share the
    /// table do not wait for each other.
    private func keepUp(_ connection: PostgresConnection) {
        let now = LoopTime.current()
        guard days > 0, now >= nextUpkeep else { return }
        nextUpkeep = now.adding(seconds: Self.upkeepSeconds)
        let table = UsageSchema.postgresTable
        let oldest = Timestamp.now() - days * 86_400_000
        let sql = """
            WITH gone AS (
                DELETE FROM \(table) WHERE (process, number) IN (
                    SELECT process, number FROM \(table) WHERE time < \(oldest)
                    ORDER BY time LIMIT \(Self.mostDeleted) FOR UPDATE SKIP LOCKED
                ) RETURNING 1
            ) SELECT count(*) FROM gone
            """
        do throws(PostgresFailure) {
            let count = try connection.run(sql).first?.first ?? nil
            if count == "\(Self.mostDeleted)" { nextUpkeep = .distantPast }
        } catch {
            // The rows are written all the same.
            self.connection = nil
            guard !hasWarned else { return }
            hasWarned = true
            log.warning("old usage records cannot be deleted") { $0.add("cause", error.text) }
        }
    }
}

/// Values of rows, as one array of PostgreSQL for each column: `{1,NULL,"a \"text\""}`.
private struct UsageArrays: UsageCells {
    private var columns: [[UInt8]]
    private var next = 0
    private let isPlain: Bool

    /// - Parameter isPlain: with `?` for characters beyond ASCII.
    init(columns: Int, isPlain: Bool) {
        self.columns = Array(repeating: [UInt8(ascii: "{")], count: columns)
        self.isPlain = isPlain
    }

    /// A row begins.
    mutating func begin() { next = 0 }

    mutating func add(_ number: Int?) { add(plain: number.map { "\($0)" } ?? "NULL") }

    mutating func add(_ flag: Bool) { add(plain: flag ? "t" : "f") }

    mutating func add(_ text: String?) {
        guard let text else { return add(plain: "NULL") }
        separate()
        quote(text)
        next += 1
    }

    private mutating func add(plain text: String) {
        separate()
        columns[next].append(contentsOf: text.utf8)
        next += 1
    }

    private mutating func separate() {
        if columns[next].count > 1 { columns[next].append(UInt8(ascii: ",")) }
    }

    private mutating func quote(_ text: String) {
        columns[next].append(UInt8(ascii: "\""))
        for byte in text.beginning(ofBytes: UsageRecord.textBound).utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { columns[next].append(UInt8(ascii: "\\")) }
            columns[next].append(byte == 0 || isPlain && byte > 127 ? UInt8(ascii: "?") : byte)
        }
        columns[next].append(UInt8(ascii: "\""))
    }

    func end(in values: PostgresValues) {
        for column in columns {
            let start = values.bytes.count
            column.withUnsafeBytes { values.bytes.append($0) }
            values.bytes.append(UInt8(ascii: "}"))
            values.end(of: start)
        }
    }
}

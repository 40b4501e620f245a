import Engine
import Shared

/// Adds stored records that the daily sums in a PostgreSQL database lack. Also deletes records and subtracts them from
/// the sums. Only one relay at a time does this.
struct PostgresSums {
    /// The key of the PostgreSQL advisory lock of the daily sums: an arbitrary number.
    private static let lock = 7_031_912_844_552

    let connection: PostgresConnection
    private let table = UsageSchema.postgresTable

    init(_ connection: PostgresConnection) { self.connection = connection }

    /// Sets the time zone in which the daily sums count days.
    ///
    /// Deletes the sums if the zone has changed or an older relay has used the database. Background steps then compute
    /// the sums again.
    static func setZone(_ name: String, _ connection: PostgresConnection) throws(PostgresFailure) {
        let zone = PostgresSumsSQL.zone
        let values = PostgresValues()
        values.add(name)
        if try connection.value("SELECT zone = $1 AND NOT is_mixed FROM \(zone)", values) == "t" { return }
        // The sums are also deleted for an older relay, because such a relay deletes records without updating the sums.
        try PostgresSums(connection).transaction(isWaiting: true) { () throws(PostgresFailure) in
            let values = PostgresValues()
            values.add(name)
            // This statement waits for batches that are being written, and blocks later ones.
            _ = try connection.run("UPDATE \(zone) SET zone = $1, is_mixed = false", values)
            for table in PostgresSumsSQL.tables { _ = try connection.run("DELETE FROM \(table.postgresName)") }
            _ = try connection.run("UPDATE \(PostgresSumsSQL.processes) SET summed_from = summed_to + 1")
        }
    }

    /// Adds some stored records that the daily sums lack. Returns whether more such records might be left.
    func advance(_ zone: DayZone) throws(PostgresFailure) -> Bool {
        _ = try connection.run(PostgresSumsSQL.discover)
        let isMore = try transaction(isWaiting: false) { () throws(PostgresFailure) in
            let newest = try connection.run("\(PostgresSumsSQL.unsummed) ORDER BY time DESC LIMIT 1").first
            guard let newest, let process = newest[0], let from = newest[1], let to = newest[2] else { return false }
            let isAbove = newest[4] == "t"
            let rows = isAbove ? "number > \(to) ORDER BY number" : "number < \(from) ORDER BY number DESC"
            let span = try connection.run(
                """
                SELECT min(number), max(number), min(time), max(time) FROM (
                    SELECT number, time FROM \(table) WHERE process = \(process) AND \(rows) LIMIT \(UsageSchema.rowsOfStep)
                ) AS step
                """
            )
            guard let bounds = span.first?.compactMap({ $0.flatMap { Int($0) } }), bounds.count == 4 else {
                return false
            }
            let days = DayStarts(zone, from: bounds[2], to: bounds[3]).values
            let step = "\(table) WHERE process = \(process) AND number BETWEEN \(bounds[0]) AND \(bounds[1])"
            _ = try connection.run(PostgresSumsSQL.add(to: .days, from: step, starts: "$1", days: "$2"), days)
            _ = try connection.run(PostgresSumsSQL.add(to: .hours, from: step, starts: "", days: ""))
            let change = isAbove ? "summed_to = \(bounds[1])" : "summed_from = \(bounds[0])"
            _ = try connection.run("UPDATE \(PostgresSumsSQL.processes) SET \(change) WHERE process = \(process)")
            // An older relay is running, which deletes old rows without changing the sums.
            if isAbove { _ = try connection.run("UPDATE \(PostgresSumsSQL.zone) SET is_mixed = true") }
            return true
        }
        // If another relay has the lock, there may be more rows.
        return isMore ?? true
    }

    /// Deletes some usage records older than `bound` (milliseconds since 1970). Returns the number of deleted records;
    /// nil if another relay holds the lock of the daily sums.
    func deleteOldest(before bound: Int, rows limit: Int, _ zone: DayZone) throws(PostgresFailure) -> Int? {
        try transaction(isWaiting: false) { () throws(PostgresFailure) in
            let oldest = try connection.number("SELECT min(time) FROM \(table)")
            guard let oldest, oldest < bound else { return 0 }
            let days = DayStarts(zone, from: oldest, to: bound).values
            let condition = """
                (process, number) IN (
                    SELECT process, number FROM \(table) WHERE time < \(bound) ORDER BY time LIMIT \(limit)
                )
                """
            let count = try connection.number(PostgresSumsSQL.delete(condition), days) ?? 0
            if count > 0 { try deleteEmpty() }
            return count
        }
    }

    /// Deletes requests with their upstream calls, and subtracts them from the daily sums. Returns the number of
    /// deleted requests.
    func delete(_ ids: [RecordID], _ zone: DayZone) throws(PostgresFailure) -> Int {
        let count = try transaction(isWaiting: true) { () throws(PostgresFailure) in
            var count = 0
            for case .triple(_, let process, let number) in ids {
                let found = try PostgresRequestRows.rows(process, number, connection: connection)
                guard let last = found.last else { continue }
                let times = found.map(\.record.timeMilliseconds)
                let days = DayStarts(zone, from: times.min() ?? 0, to: times.max() ?? 0).values
                let condition = "process = \(process) AND number BETWEEN \(number) AND \(last.id)"
                _ = try connection.run(PostgresSumsSQL.delete(condition), days)
                count += 1
            }
            try deleteEmpty()
            return count
        }
        return count ?? 0
    }

    private func deleteEmpty() throws(PostgresFailure) {
        for table in PostgresSumsSQL.tables {
            _ = try connection.run("DELETE FROM \(table.postgresName) WHERE requests = 0 AND calls = 0")
        }
    }

    /// Calls `body` in a transaction with the advisory lock of the daily sums. Returns nil if another relay has the
    /// lock and `isWaiting` is false.
    @discardableResult
    private func transaction<Result>(
        isWaiting: Bool,
        _ body: () throws(PostgresFailure) -> Result
    ) throws(PostgresFailure) -> Result? {
        _ = try connection.run("BEGIN")
        if isWaiting {
            _ = try connection.run("SELECT pg_advisory_xact_lock(\(Self.lock))")
        } else if try connection.value("SELECT pg_try_advisory_xact_lock(\(Self.lock))") != "t" {
            _ = try connection.run("ROLLBACK")
            return nil
        }
        let result = try body()
        _ = try connection.run("COMMIT")
        return result
    }
}

/// Reads the rows of a request and of its upstream calls. The calls follow directly after their request.
enum PostgresRequestRows {
    /// Returns the rows of a request and its upstream calls; empty if the request is not found.
    static func rows(
        _ process: Int,
        _ number: Int,
        connection: PostgresConnection
    ) throws(PostgresFailure) -> [(id: Int, record: UsageRecord)] {
        let names = UsageColumn.stored.names
        let found = try connection.run(
            """
            SELECT number,\(names) FROM \(UsageSchema.postgresTable) WHERE process = \(process) \
            AND number BETWEEN \(number) AND \(number &+ UsageSchema.maxCalls) ORDER BY number
            """
        )
        var rows = RequestRows(of: number)
        for columns in found {
            let row = PostgresRow(columns: columns)
            guard rows.add(row.number(at: 0) ?? 0, UsageColumn.stored.record(row, at: 1)) else { break }
        }
        return rows.found
    }
}

/// A row of a query result, as the PostgreSQL server sent it.
struct PostgresRow: UsageRow {
    let columns: [String?]

    func number(at index: Int) -> Int? { text(at: index).flatMap { Int($0) } }
    func flag(at index: Int) -> Bool { text(at: index) == "t" }
    func text(at index: Int) -> String? { columns.indices.contains(index) ? columns[index] : nil }
}

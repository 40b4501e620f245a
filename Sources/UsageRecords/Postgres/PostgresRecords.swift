import Engine
import Shared

/// The usage records in a PostgreSQL database, as a source for `RecordReader`.
///
/// `@unchecked`: used by the reader's thread only.
final class PostgresRecords: RecordSource, @unchecked Sendable {
    private let address: PostgresAddress
    private let patience: PostgresConnection.Patience
    private var connection: PostgresConnection?

    init(
        url: String,
        _ patience: PostgresConnection.Patience = .init(connectSeconds: 2, statementMilliseconds: 2_000)
    ) throws(UsageFailure) {
        address = try PostgresStore.address(url)
        self.patience = patience
    }

    func page(_ query: RecordQuery, until end: LoopTime) throws(UsageFailure) -> RecordPage {
        try read(until: end, orElse: RecordPage()) { connection throws(PostgresFailure) in
            let state = try connection.sumsState()
            var spans = PostgresSpans(query.filter, state)
            try spans.find(connection)
            let total = query.filter.isCountedBySums && state.lastPartialDay == nil ? spans.count : nil
            var collector = PageCollector<RecordID>(query, knownTotal: total, until: end)
            var scan = PostgresScan(query, spans.times, until: end)
            let isCut = try scan.run(&collector, connection)
            var page = collector.page()
            page.isPartial = isCut
            page.records = try Self.records(collector.ids(), connection)
            if isCut || collector.isStopped { page.goOn(after: scan.continuation, query) }
            return page
        }
    }

    /// Returns the records with these ids, in the same order as `ids`.
    private static func records(
        _ ids: [RecordID],
        _ connection: PostgresConnection
    ) throws(PostgresFailure) -> [StoredRecord] {
        if ids.isEmpty { return [] }
        let keys = ids.map { id in
            guard case .triple(_, let process, let number) = id else { return "(0::bigint, -1::bigint)" }
            return "(\(process)::bigint, \(number)::bigint)"
        }
        let names = UsageColumn.stored.map { "row.\($0.name)" }.joined(separator: ",")
        let table = UsageSchema.postgresTable
        // The query reads as many rows after that of a request as the request can have calls.
        let found = try connection.run(
            """
            SELECT row.process, row.number, last.status, \(names) FROM (VALUES \(keys.joined(separator: ","))) AS keys (process, number)
            JOIN \(table) AS row USING (process, number)
            LEFT JOIN LATERAL (
                SELECT status FROM \(table) AS call
                WHERE call.process = row.process AND call.number > row.number
                AND call.number <= row.number + least(\(UsageSchema.maxCalls), 8 + 2 * row.attempts)
                AND call.kind = 1 AND call.request_id = row.request_id AND call.status IS NOT NULL
                ORDER BY call.number DESC LIMIT 1
            ) AS last ON true
            """
        )
        var records: [RecordID: StoredRecord] = [:]
        for columns in found {
            let row = PostgresRow(columns: columns)
            let record = UsageColumn.stored.record(row, at: 3)
            let id = RecordID.triple(
                time: record.timeMilliseconds,
                process: row.number(at: 0) ?? 0,
                number: row.number(at: 1) ?? 0
            )
            records[id] = StoredRecord(id, record, lastCallStatus: row.number(at: 2))
        }
        return ids.compactMap { records[$0] }
    }

    func request(_ id: RecordID, until end: LoopTime) throws(UsageFailure) -> StoredRequest? {
        guard case .triple(let time, let process, let number) = id else { return nil }
        return try read(until: end, orElse: nil) { connection throws(PostgresFailure) in
            let rows = try PostgresRequestRows.rows(process, number, connection: connection)
            guard let first = rows.first, first.record.timeMilliseconds == time else { return nil }
            var found = StoredRequest(id, first.record, calls: rows.dropFirst().map(\.record))
            let table = "\(UsageSchema.postgresBodies) WHERE process = \(process) AND number = \(number)"
            if let bodies = try connection.run("SELECT request, response FROM \(table)").first {
                (found.requestBody, found.responseBody) = (bodies[0], bodies[1])
            }
            return found
        }
    }

    func table(_ query: UsageQuery, until end: LoopTime) throws(UsageFailure) -> UsageTable {
        try read(until: end, orElse: UsageTable()) { connection throws(PostgresFailure) in
            try connection.table(query)
        }
    }

    func timeline(
        _ plan: TimelinePlan,
        until end: LoopTime
    ) throws(UsageFailure) -> (rows: [(key: SumKey, sum: UsageSum)], isPartial: Bool) {
        try read(until: end, orElse: ([], false)) { connection throws(PostgresFailure) in
            var rows: [(key: SumKey, sum: UsageSum)] = []
            do throws(PostgresFailure) {
                for range in plan.read {
                    let (sql, values) = plan.postgresSQL(reading: range)
                    for columns in try connection.run(sql, values) {
                        rows.append(UsageSum.row(PackedRow(columns[1...]), at: 0))
                    }
                }
                if plan.stored.isEmpty { return (rows, false) }
                let (sql, values) = plan.sql(.postgres)
                for columns in try connection.run(sql, PostgresValues(values)) {
                    rows.append(UsageSum.row(PackedRow(columns[...]), at: 0))
                }
                let state = try connection.sumsState()
                let first = state.zone.day(atMilliseconds: plan.query.range.lowerBound).number
                return (rows, state.lastPartialDay.map { first <= $0 } ?? false)
            } catch {
                guard error.isInterrupt else { throw error }
                return (rows, true)
            }
        }
    }

    func minutes(since start: Int, until end: LoopTime) throws(UsageFailure) -> MinuteCounts? {
        try read(until: end, orElse: [:]) { connection throws(PostgresFailure) in try connection.minutes(since: start) }
    }

    /// Calls `body` with a read-only connection. After a connection failure, opens it again and repeats `body` once.
    /// - Parameter empty: the result if the database has no tables yet, because no relay has written to it.
    private func read<Result>(
        until end: LoopTime,
        orElse empty: Result,
        _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(UsageFailure) -> Result {
        var isAgain = connection == nil
        while true {
            do throws(PostgresFailure) {
                let connection = try connected()
                try connection.limit(until: end)
                return try body(connection)
            } catch {
                if error.isOfMissingTable { return empty }
                connection = nil
                guard !isAgain, error.state.isEmpty, LoopTime.current() < end else { throw UsageFailure(error.text) }
                isAgain = true
            }
        }
    }

    private func connected() throws(PostgresFailure) -> PostgresConnection {
        if let connection { return connection }
        let made = try PostgresConnection.open(address, patience)
        _ = try made.run("SET default_transaction_read_only = on")
        connection = made
        return made
    }
}

/// A row of sums whose numbers are one text, such as `12,0,7`. Rows of many columns take ten times as long to read.
private struct PackedRow: UsageRow {
    private let keys: ArraySlice<String?>
    private let numbers: [Int?]

    init(_ columns: ArraySlice<String?>) {
        keys = columns.dropLast()
        var (found, number, sign): ([Int?], Int, Int) = ([], 0, 1)
        (columns.last ?? nil)?.withBytes { bytes in
            for byte in bytes {
                switch byte {
                case UInt8(ascii: ","):
                    found.append(sign &* number)
                    (number, sign) = (0, 1)
                case UInt8(ascii: "-"): sign = -1
                default: number = number &* 10 &+ Int(byte &- 48)
                }
            }
            found.append(sign &* number)
        }
        numbers = found
    }

    func number(at index: Int) -> Int? {
        if index < keys.count { return text(at: index).flatMap { Int($0) } }
        return numbers.indices.contains(index - keys.count) ? numbers[index - keys.count] : nil
    }
    func flag(at index: Int) -> Bool { text(at: index) == "t" }
    func text(at index: Int) -> String? { index < keys.count ? keys[keys.startIndex + index] : nil }
}

extension TimelinePlan {
    /// Returns the query for the sums of the records that ended in a range of time. Its columns are those of
    /// `PostgresSumsSQL.select`, with the step instead of the day.
    fileprivate func postgresSQL(reading range: Range<Int>) -> (sql: String, values: PostgresValues) {
        var filter = FilterSQL(.postgres)
        filter.add(query.filter)
        var columns: [String: String] = [:]
        for field in UsageField.allCases where !fields.contains(field) {
            columns[field.rawValue] = "CASE WHEN \(field.rawValue) IS NOT NULL THEN '' END"
        }
        if query.group == .cause { columns["model"] = "coalesce(error, status::text)" }
        if query.group == .user { columns["model"] = "end_user" }
        let shown = PostgresSumsSQL.inputs.map { column in columns[column].map { "\($0) AS \(column)" } ?? column }
        let source = """
            (SELECT process, \(shown.joined(separator: ", ")) FROM \(UsageSchema.postgresTable) \
            WHERE time >= \(range.lowerBound) AND time < \(range.upperBound) AND \(filter.condition) \
            \(query.group == .cause ? "AND NOT success AND kind = 0" : "")) AS part
            """
        let starts = starts.map { "\($0)" }.joined(separator: ",")
        let span = "width_bucket(time, '{\(starts)}'::bigint[]) - 1"
        let select = PostgresSumsSQL.select(from: source, span: span, isPacked: true)
        return (select, PostgresValues(filter.values))
    }
}

extension PostgresConnection {
    private static let maxMilliseconds = 3_600_000

    /// Sets a time limit for later statements. A slower statement throws a failure whose `isInterrupt` is true.
    func limit(until end: LoopTime) throws(PostgresFailure) {
        let left = min(max(1, end.milliseconds(since: .current())), Self.maxMilliseconds)
        _ = try run("SET statement_timeout = \(left)")
    }
}

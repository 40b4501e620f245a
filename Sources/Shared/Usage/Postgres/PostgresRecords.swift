import Engine

/// The records in a PostgreSQL database, as a `RecordReader` reads them.
///
/// `@unchecked`: used by the reader's thread only.
final class PostgresRecords: RecordSource, @unchecked Sendable {
    private static let connectSeconds = 2
    /// The time for which a server that does not respond blocks the thread, in milliseconds.
    private static let timeoutMilliseconds = 2_000

    private let address: PostgresAddress
    private var connection: PostgresConnection?

    init(url: String) throws(UsageFailure) { address = try PostgresStore.address(url) }

    func page(_ query: RecordQuery, until end: LoopTime) throws(UsageFailure) -> RecordPage {
        try read(until: end) { connection throws(PostgresFailure) in
            let state = try PostgresState(connection)
            var spans = PostgresSpans(query.filter, state)
            try spans.find(connection)
            let total = query.filter.isCountedBySums && state.lastPartialDay == nil ? spans.count : nil
            var collector = PageCollector<RecordID>(query, knownTotal: total, until: end)
            var scan = PostgresScan(query, spans.times, until: end)
            let isCut = try scan.run(&collector, connection)
            var page = collector.page()
            page.isPartial = isCut
            page.records = try Self.records(collector.ids(), connection)
            if isCut || collector.isStopped { page.goOn(after: scan.position, query) }
            return page
        }
    }

    /// Returns the records of these ids, in the same order.
    private static func records(
        _ ids: [RecordID],
        _ connection: PostgresConnection
    ) throws(PostgresFailure) -> [StoredRecord] {
        if ids.isEmpty { return [] }
        let keys = ids.map { id in
            guard case .triple(_, let process, let number) = id else { return "(0::bigint, -1::bigint)" }
            return "(\(process)::bigint, \(number)::bigint)"
        }
        let names = UsageSchema.columns.map { "row.\($0)" }.joined(separator: ",")
        let table = UsageSchema.postgresTable
        // The query reads as many rows after that of a request as the request can have calls.
        let found = try connection.run(
            """
            SELECT row.process, row.number, last.status, \(names) FROM (VALUES \(keys.joined(separator: ","))) AS keys (process, number)
            JOIN \(table) AS row USING (process, number)
            LEFT JOIN LATERAL (
                SELECT status FROM \(table) AS call
                WHERE call.process = row.process AND call.number > row.number
                AND call.number <= row.number + least(200, 8 + 2 * row.attempts)
                AND call.kind = 1 AND call.request_id = row.request_id AND call.status IS NOT NULL
                ORDER BY call.number DESC LIMIT 1
            ) AS last ON true
            """
        )
        var records: [RecordID: StoredRecord] = [:]
        for columns in found {
            let row = PostgresRow(columns: columns)
            let record = UsageRecord(row, at: 3)
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
        return try read(until: end) { connection throws(PostgresFailure) in
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
        try read(until: end) { connection throws(PostgresFailure) in
            do throws(PostgresFailure) {
                return try PostgresState(connection).sums(query, connection)
            } catch {
                guard error.isInterrupt else { throw error }
                var table = UsageTable()
                table.isPartial = true
                return table
            }
        }
    }

    func count(
        since start: Int,
        into minutes: inout [UsageOverview.Minute],
        until end: LoopTime
    ) throws(UsageFailure) -> Bool {
        let rows = try read(until: end) { connection throws(PostgresFailure) in
            do throws(PostgresFailure) {
                return try connection.run(
                    """
                    SELECT time / 60000, count(*), count(*) FILTER (WHERE NOT success) FROM \(UsageSchema.postgresTable)
                    WHERE time >= \(start) AND kind = 0 GROUP BY 1
                    """
                ) as [[String?]]?
            } catch {
                guard error.isInterrupt else { throw error }
                return nil
            }
        }
        for columns in rows ?? [] {
            let row = PostgresRow(columns: columns)
            minutes.add(row.number(at: 1) ?? 0, errors: row.number(at: 2) ?? 0, atMinute: row.number(at: 0) ?? 0)
        }
        return rows != nil
    }

    /// Calls `body` with a read-only connection. A failed connection is opened again once.
    private func read<Result>(
        until end: LoopTime,
        _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(UsageFailure) -> Result {
        var isAgain = connection == nil
        while true {
            do throws(PostgresFailure) {
                let connection = try connected()
                try connection.limit(until: end)
                return try body(connection)
            } catch {
                connection = nil
                guard !isAgain, error.state.isEmpty, LoopTime.current() < end else { throw UsageFailure(error.text) }
                isAgain = true
            }
        }
    }

    private func connected() throws(PostgresFailure) -> PostgresConnection {
        if let connection { return connection }
        let made = try PostgresConnection.open(
            address,
            connectSeconds: Self.connectSeconds,
            timeoutMilliseconds: Self.timeoutMilliseconds
        )
        _ = try made.run("SET default_transaction_read_only = on")
        connection = made
        return made
    }
}

extension PostgresConnection {
    private static let maxMilliseconds = 3_600_000

    /// Limits later statements to a time. If it is exceeded, they throw a failure with `isInterrupt`.
    func limit(until end: LoopTime) throws(PostgresFailure) {
        let left = min(max(1, end.milliseconds(since: .current())), Self.maxMilliseconds)
        _ = try run("SET statement_timeout = \(left)")
    }
}

/// The times at which records that match a filter may exist, found by the sums of the days.
struct PostgresSpans {
    private let filter: RecordFilter
    private let state: PostgresState
    /// The ranges of times without overlaps, the oldest first. Times are milliseconds since 1970.
    private(set) var times: [Range<Int>] = []
    /// The number of requests on these days.
    private(set) var count = 0

    private static let firstTime = -(1 << 50)

    init(_ filter: RecordFilter, _ state: PostgresState) {
        self.filter = filter
        self.state = state
    }

    mutating func find(_ connection: PostgresConnection) throws(PostgresFailure) {
        var sql = FilterSQL(.postgres)
        sql.add(filter, days: filter.days(in: state.zone))
        let found = try connection.run(
            """
            SELECT day, sum(requests), sum(failed) FROM \(UsageSchema.postgresSums) WHERE \(sql.condition)
            GROUP BY day ORDER BY day
            """,
            PostgresValues(sql.values)
        )
        // Until the end of that day, records may exist that are in no sums.
        let end = state.lastPartialDay.map { state.zone.startMilliseconds(of: Day(number: $0 + 1)) }
        if let end { add(Self.firstTime..<end) }
        for columns in found {
            let row = PostgresRow(columns: columns)
            let day = Day(number: row.number(at: 0) ?? 0)
            let (requests, failed) = (row.number(at: 1) ?? 0, row.number(at: 2) ?? 0)
            count += filter.outcome == .completed ? requests - failed : filter.outcome == .failed ? failed : requests
            let start = max(state.zone.startMilliseconds(of: day), end ?? Self.firstTime)
            add(start..<max(start, state.zone.startMilliseconds(of: day.adding(days: 1))))
        }
    }

    private mutating func add(_ span: Range<Int>) {
        let span = clipped(span)
        guard !span.isEmpty else { return }
        if let last = times.last, last.upperBound >= span.lowerBound {
            times[times.count - 1] = last.lowerBound..<span.upperBound
        } else {
            times.append(span)
        }
    }

    /// Returns the part of a range that the filter's times allow.
    private func clipped(_ span: Range<Int>) -> Range<Int> {
        var end = filter.toMilliseconds ?? .max
        if case .triple(let time, _, _)? = filter.before { end = min(end, time &+ 1) }
        let low = max(span.lowerBound, filter.fromMilliseconds ?? .min)
        return low..<max(low, min(span.upperBound, end))
    }
}

/// Reads the records of ranges of time in windows. The size of a window depends on how long the last one took.
struct PostgresScan {
    private static let firstMilliseconds = 3_600_000
    private static let maxMilliseconds = 1_000_000_000_000
    private static let slowMilliseconds = 100

    private let query: RecordQuery
    private let end: LoopTime
    private let spans: [Range<Int>]
    private let filter: FilterSQL
    private let isDescending: Bool
    private var size = PostgresScan.firstMilliseconds
    /// The id after which the next window begins; nil at the start.
    private(set) var position: RecordID?

    init(_ query: RecordQuery, _ spans: [Range<Int>], until end: LoopTime) {
        self.query = query
        self.end = end
        isDescending = query.order != .id || query.isDescending
        self.spans = isDescending ? spans.reversed() : spans
        var filter = FilterSQL(.postgres)
        filter.add(query.filter)
        if case .triple(let time, let process, let number)? = query.filter.before {
            filter.add("time < \(time) OR time = \(time) AND (process, number) < (\(process), \(number))")
        }
        self.filter = filter
    }

    /// Reads the records. Returns whether the time ended before all were read.
    mutating func run(
        _ collector: inout PageCollector<RecordID>,
        _ connection: PostgresConnection
    ) throws(PostgresFailure) -> Bool {
        for span in spans {
            var rest = span
            while !rest.isEmpty {
                if collector.isComplete || collector.stops(at: .current()) { return false }
                guard LoopTime.current() < end else { return true }
                guard let next = try edge(of: rest, connection) else { break }
                rest =
                    isDescending
                    ? rest.lowerBound..<min(rest.upperBound, next + 1) : max(rest.lowerBound, next)..<rest.upperBound
                let window = window(of: rest)
                let start = LoopTime.current()
                do throws(PostgresFailure) {
                    try connection.limit(until: end)
                    try read(window, &collector, connection: connection)
                } catch {
                    guard error.isInterrupt else { throw error }
                    return true
                }
                let took = LoopTime.current().milliseconds(since: start)
                size = took > Self.slowMilliseconds ? max(1_000, size / 2) : min(size * 4, Self.maxMilliseconds)
                rest = isDescending ? rest.lowerBound..<window.lowerBound : window.upperBound..<rest.upperBound
                position = isDescending ? .triple(time: window.lowerBound, process: 0, number: 0) : nil
            }
        }
        return false
    }

    /// Returns the time of the next record in the range, so that times without records are skipped; nil if there is
    /// none.
    private func edge(of span: Range<Int>, _ connection: PostgresConnection) throws(PostgresFailure) -> Int? {
        let found = try connection.run(
            """
            SELECT \(isDescending ? "max" : "min")(time) FROM \(UsageSchema.postgresTable)
            WHERE time >= \(span.lowerBound) AND time < \(span.upperBound)
            """
        )
        return (found.first?.first ?? nil).flatMap { Int($0) }
    }

    private func window(of span: Range<Int>) -> Range<Int> {
        isDescending
            ? max(span.lowerBound, span.upperBound - size)..<span.upperBound
            : span.lowerBound..<min(span.upperBound, span.lowerBound + size)
    }

    private func read(
        _ window: Range<Int>,
        _ collector: inout PageCollector<RecordID>,
        connection: PostgresConnection
    ) throws(PostgresFailure) {
        let direction = isDescending ? "DESC" : "ASC"
        let byID = ["time", "process", "number"].map { "\($0) \(direction)" }.joined(separator: ", ")
        let column = query.order.column
        let order =
            column.map { "\($0) \(query.isDescending ? "DESC NULLS LAST" : "ASC NULLS FIRST"), \(byID)" } ?? byID
        let rows =
            "\(UsageSchema.postgresTable) WHERE time >= \(window.lowerBound) AND time < \(window.upperBound) AND kind = 0 AND \(filter.condition)"
        let limit = collector.room
        let found = try connection.run(
            "SELECT time, process, number, \(column ?? "NULL") FROM \(rows) ORDER BY \(order) LIMIT \(limit)",
            PostgresValues(filter.values)
        )
        for columns in found {
            let row = PostgresRow(columns: columns)
            let id = RecordID.triple(
                time: row.number(at: 0) ?? 0,
                process: row.number(at: 1) ?? 0,
                number: row.number(at: 2) ?? 0
            )
            let isText = query.order.isText
            collector.add(
                id,
                .init(number: isText ? nil : row.number(at: 3), text: isText ? row.text(at: 3) : nil)
            )
        }
        guard column != nil, found.count == limit else { return }
        let count = try connection.run(
            "SELECT count(*) FROM (SELECT 1 FROM \(rows) LIMIT \(RecordQuery.maxTotal + 1)) AS counted",
            PostgresValues(filter.values)
        )
        collector.addUnlisted((count.first?.first ?? nil).flatMap { Int($0) }.map { $0 - found.count } ?? 0)
    }
}

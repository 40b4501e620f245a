import Engine
import Shared

/// The ranges of time that may contain records that match a filter, according to the daily sums.
struct PostgresSpans {
    private let filter: RecordFilter
    private let state: SumsState
    /// The ranges of time, oldest first and without overlaps, in milliseconds since 1970.
    private(set) var times: [Range<Int>] = []
    /// The number of requests that match the filter, according to the daily sums.
    private(set) var count = 0

    private static let firstTime = -(1 << 50)

    init(_ filter: RecordFilter, _ state: SumsState) {
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

    /// Returns the part of a range that lies within the time limits of the filter.
    private func clipped(_ span: Range<Int>) -> Range<Int> {
        var end = filter.toMilliseconds ?? .max
        if case .triple(let time, _, _)? = filter.before { end = min(end, time &+ 1) }
        let low = max(span.lowerBound, filter.fromMilliseconds ?? .min)
        return low..<max(low, min(span.upperBound, end))
    }
}

/// A search for the records that match a query, in certain ranges of time. It reads one window of time after the other.
struct PostgresScan {
    private static let firstMilliseconds = 3_600_000
    private static let maxMilliseconds = 1_000_000_000_000
    /// The desired duration of reading the records of one time window, in milliseconds.
    private static let windowMilliseconds = 50

    private let query: RecordQuery
    private let end: LoopTime
    private let spans: [Range<Int>]
    private let filter: FilterSQL
    private let isDescending: Bool
    private var size = PostgresScan.firstMilliseconds
    /// The id from which a later search for lower ids can continue; nil if nothing was read or the oldest records are
    /// read first.
    private(set) var continuation: RecordID?

    init(_ query: RecordQuery, _ spans: [Range<Int>], until end: LoopTime) {
        self.query = query
        self.end = end
        isDescending = query.readsNewestFirst
        self.spans = isDescending ? spans.reversed() : spans
        var filter = FilterSQL(.postgres)
        filter.add(query.filter)
        // The index of failed requests is only used with this condition.
        if case .status(let status)? = query.filter.outcome, !(200..<400).contains(status) { filter.add("NOT success") }
        if case .triple(let time, let process, let number)? = query.filter.before {
            filter.add("time < \(time) OR time = \(time) AND (process, number) < (\(process), \(number))")
        }
        self.filter = filter
    }

    /// Adds the records that match the query to the collector. Returns true if the query's time limit passed before
    /// this was done.
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
                let fitting = max(1_000, size * Self.windowMilliseconds / max(1, took))
                size = min(fitting, size * 4, Self.maxMilliseconds)
                rest = isDescending ? rest.lowerBound..<window.lowerBound : window.upperBound..<rest.upperBound
                continuation = isDescending ? .triple(time: window.lowerBound, process: 0, number: 0) : nil
            }
        }
        return false
    }

    /// Returns the time of the next record in a range, in the search's direction; nil if there is none.
    private func edge(of span: Range<Int>, _ connection: PostgresConnection) throws(PostgresFailure) -> Int? {
        try connection.number(
            """
            SELECT \(isDescending ? "max" : "min")(time) FROM \(UsageSchema.postgresTable)
            WHERE time >= \(span.lowerBound) AND time < \(span.upperBound)
            """
        )
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
        let column = query.order.column?.name
        let isText = query.order.isText
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
            collector.add(id, .init(number: isText ? nil : row.number(at: 3), text: isText ? row.text(at: 3) : nil))
        }
        guard column != nil, found.count == limit else { return }
        let count = try connection.number(
            "SELECT count(*) FROM (SELECT 1 FROM \(rows) LIMIT \(RecordQuery.maxTotal + 1)) AS counted",
            PostgresValues(filter.values)
        )
        collector.addUnlisted(count.map { $0 - found.count } ?? 0)
    }
}

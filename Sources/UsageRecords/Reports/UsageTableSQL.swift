import Engine
import Shared

/// The SQL statements that read the daily sums of usage for a `UsageQuery`.
struct UsageTableSQL {
    private let query: UsageQuery
    private let table: String
    private let condition: String
    let values: [FilterSQL.Value]

    init(_ query: UsageQuery, _ dialect: FilterSQL.Dialect) {
        self.query = query
        table = dialect == .sqlite ? "sums" : UsageSchema.postgresSums
        var filter = FilterSQL(dialect)
        filter.add("day", ">=", number: query.first?.number)
        filter.add("day", "<=", number: query.last?.number)
        filter.add("caller", query.caller.map { $0.beginning(ofBytes: SumKey.textBound) })
        filter.add("\(query.countsCalls ? "calls" : "requests") <> 0")
        condition = filter.condition
        values = filter.values
    }

    private var sums: String {
        UsageFigures.columns.map { "sum(\(query.countsCalls ? $0.callName : $0.name))" }.joined(separator: ",")
    }

    /// The SQL query for the total of all rows: one row with the numbers of `UsageFigures`.
    var sum: String { "SELECT \(sums) FROM \(source(keeping: query.caller == nil ? [] : .caller))" }

    /// Returns the SQL after `FROM` for stored sums that can be grouped by `fields`.
    private func source(keeping fields: SumFields) -> String {
        "\(table) WHERE omitted = \((SumsTable.days.omitted(keeping: fields) ?? []).rawValue) AND \(condition)"
    }

    /// The SQL query for the table's rows. A row contains the grouping fields, then the numbers of `UsageFigures`.
    var rows: String {
        let names = query.dimensions.map(\.rawValue).joined(separator: ",")
        let columns = query.dimensions.indices.map { "\($0 + 1)" }
        let count = query.dimensions.count + 1
        let day = query.dimensions.firstIndex(of: .day).map { ["\($0 + 1)"] } ?? []
        let order = (day + ["\(count) DESC"] + columns).joined(separator: ",")
        let groups = columns.joined(separator: ",")
        return
            "SELECT \(names),\(sums) FROM \(source(keeping: query.fields)) GROUP BY \(groups) ORDER BY \(order) LIMIT \(UsageQuery.maxRows + 1)"
    }

    /// Returns whether the query includes a day whose sums might lack records.
    /// - Parameter day: the last day whose sums might lack records, in days since 1970; nil if there is none.
    func isPartial(until day: Int?) -> Bool { day.map { $0 >= query.first?.number ?? .min } ?? false }

    func row(_ row: some UsageRow, partialUntil lastPartial: Int?) -> UsageTable.Row {
        var isPartial = isPartial(until: lastPartial)
        let values = query.dimensions.enumerated().map { index, dimension in
            if dimension == .day {
                let day = row.number(at: index) ?? 0
                isPartial = lastPartial.map { day <= $0 } ?? false
                return Day(number: day).text as String?
            }
            return row.text(at: index).flatMap { $0.isEmpty ? nil : $0 }
        }
        return UsageTable.Row(
            values: values,
            figures: UsageFigures(row, at: query.dimensions.count),
            isPartial: isPartial
        )
    }
}

extension UsageTable {
    /// Appends a row. If the table already has `UsageQuery.maxRows` rows, sets `isCut` instead.
    mutating func append(_ row: Row) {
        if rows.count < UsageQuery.maxRows { rows.append(row) } else { isCut = true }
    }
}

/// The SQL queries for what the daily sums do not contain: the sums of the requests of each session, end user or cause,
/// and the numbers of requests in each minute.
enum UnstoredSumsSQL {
    /// Returns the query. A row contains the group, the caller of a session or end user, and the numbers of `UsageFigures`; the
    /// groups with the most requests come first.
    /// - Parameter source: the SQL after `FROM`, with a condition.
    static func rows(from source: String, by group: UsageReportQuery.Group) -> String {
        func name(_ column: String) -> String {
            "\(column) AS name, CASE WHEN \(column) IS NOT NULL THEN caller END AS part"
        }
        let cause = """
            CASE WHEN error IS NOT NULL THEN error WHEN NOT success THEN CAST(status AS TEXT) \
            WHEN lowered_max_tokens IS NOT NULL THEN '\(UsageRecord.loweredCause)' END AS name, NULL AS part
            """
        let names = group == .cause ? cause : name(group == .user ? "end_user" : "session")
        return """
            SELECT name, part, \(UsageFigures.columns.map { $0.sql() }.joined(separator: ", ")) FROM (
                SELECT \(names), success, prompt_tokens, completion_tokens, cost, cached_tokens, cache_writes,
                    cache_writes_1h, \(FilterSQL.sumConditions) FROM \(source) AND kind = 0
            ) AS records GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
            """
    }

    /// Returns the query for the numbers of requests in each minute. A row contains the minute and the numbers of
    /// `UsageOverview.Counts`.
    static func minutes(from source: String) -> String {
        let counts = ["NOT success", "is_failure", "is_refusal", "is_of_budget"].map { "count(*) FILTER (WHERE \($0))" }
        return """
            SELECT minute, count(*), \(counts.joined(separator: ", ")) FROM (
                SELECT time / 60000 AS minute, success, \(FilterSQL.sumConditions),
                    \(FilterSQL.isOfBudget) AS is_of_budget FROM \(source) AND kind = 0
            ) AS records GROUP BY 1
            """
    }
}

extension UsageOverview.Counts {
    /// Creates the counts from a row with the counts in their order, from column 1.
    init(inRow row: some UsageRow) {
        self.init(
            requests: row.number(at: 1) ?? 0,
            errors: row.number(at: 2) ?? 0,
            failures: row.number(at: 3) ?? 0,
            refusals: row.number(at: 4) ?? 0,
            budgets: row.number(at: 5) ?? 0
        )
    }
}

/// The rows of a request and of its upstream calls, which follow directly after it.
struct RequestRows {
    private let id: Int
    private(set) var found: [(id: Int, record: UsageRecord)] = []

    init(of id: Int) { self.id = id }

    /// Adds the next row. Returns false if it belongs to another request.
    mutating func add(_ id: Int, _ record: UsageRecord) -> Bool {
        let isNext = found.first.map { !record.isOfRequest && record.requestID == $0.record.requestID }
        guard isNext ?? (id == self.id && record.isOfRequest) else { return false }
        found.append((id, record))
        return true
    }
}

extension StoredRequest {
    /// Creates a stored request from its usage records. `calls` are the separate records of upstream calls.
    init(_ id: RecordID, _ request: UsageRecord, calls: [UsageRecord]) {
        let calls = (request.onlyCall.map { [$0] } ?? []) + calls
        var plain = request
        plain.subject = .request
        let status = calls.last { $0.status != nil }?.status
        self.init(record: StoredRecord(id, plain, lastCallStatus: status), calls: calls)
    }
}

extension UsageTable {
    /// Creates the result of a query from daily sums in memory.
    init(_ query: UsageQuery, _ sums: [(key: SumKey, sum: UsageSum)]) {
        let first = query.first?.number ?? .min
        let days = first...max(first, query.last?.number ?? .max)
        var groups: [[String?]: UsageFigures] = [:]
        for (key, sum) in sums where days.contains(key.day) && (query.caller == nil || query.caller == key.caller) {
            let figures = query.countsCalls ? sum.calls : sum.requests
            guard figures.requests != 0 else { continue }
            let values = query.dimensions.map { dimension in
                let text = dimension.field.map { key[$0] } ?? Day(number: key.day).text
                return text.isEmpty ? nil : text
            }
            groups[values, default: UsageFigures()] += figures
            self.sum += figures
        }
        let day = query.dimensions.firstIndex(of: .day)
        let sorted = groups.sorted { one, other in
            if let day, one.key[day] != other.key[day] { return (one.key[day] ?? "") < (other.key[day] ?? "") }
            if one.value.requests != other.value.requests { return one.value.requests > other.value.requests }
            return one.key.lexicographicallyPrecedes(other.key) {
                ($0 ?? "").utf8.lexicographicallyPrecedes(($1 ?? "").utf8)
            }
        }
        for (values, figures) in sorted { append(Row(values: values, figures: figures, isPartial: false)) }
    }
}

import Engine

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
        UsageSchema.sumColumns(ofCalls: query.countsCalls).map { "sum(\($0))" }.joined(separator: ",")
    }

    /// The SQL query for the total of all rows: one row with the numbers of `RecordTotals`.
    var sum: String { "SELECT \(sums) FROM \(source(keeping: query.caller == nil ? [] : .caller))" }

    /// Returns the SQL after `FROM` for stored sums that can be grouped by `fields`.
    private func source(keeping fields: SumFields) -> String {
        "\(table) WHERE omitted = \((SumsTable.days.omitted(keeping: fields) ?? []).rawValue) AND \(condition)"
    }

    /// The SQL query for the table's rows. A row contains the grouping fields, then the numbers of a `RecordTotals`.
    var rows: String {
        let names = query.dimensions.map(\.rawValue).joined(separator: ",")
        let positions = query.dimensions.indices.map { "\($0 + 1)" }
        let count = query.dimensions.count + 1
        let day = query.dimensions.firstIndex(of: .day).map { ["\($0 + 1)"] } ?? []
        let order = (day + ["\(count) DESC"] + positions).joined(separator: ",")
        let groups = positions.joined(separator: ",")
        return
            "SELECT \(names),\(sums) FROM \(source(keeping: query.fields)) GROUP BY \(groups) ORDER BY \(order) LIMIT \(UsageQuery.maxRows + 1)"
    }

    /// Returns whether the query includes a day whose sums might lack records.
    ///
    /// - Parameter day: the last day whose sums might lack records, in days since 1970; nil if there is none.
    func isPartial(until day: Int?) -> Bool { day.map { $0 >= query.first?.number ?? .min } ?? false }

    func row(_ row: some UsageRow, partialUntil lastPartial: Int?) -> UsageTable.Row {
        var isPartial = isPartial(until: lastPartial)
        let values = query.dimensions.enumerated().map { position, dimension in
            if dimension == .day {
                let day = row.number(at: position) ?? 0
                isPartial = lastPartial.map { day <= $0 } ?? false
                return Day(number: day).text as String?
            }
            return row.text(at: position).flatMap { $0.isEmpty ? nil : $0 }
        }
        return UsageTable.Row(
            values: values,
            figures: Self.figures(row, at: query.dimensions.count),
            isPartial: isPartial
        )
    }

    static func figures(_ row: some UsageRow, at first: Int) -> UsageFigures { RecordTotals(row, at: first).figures }
}

extension UsageTable {
    /// Appends a row. If the table already has `UsageQuery.maxRows` rows, sets `isCut` instead.
    mutating func append(_ row: Row) {
        if rows.count < UsageQuery.maxRows { rows.append(row) } else { isCut = true }
    }
}

/// The SQL query for the sums of the requests of each session or cause, which the daily sums do not contain.
enum UnstoredSumsSQL {
    /// Returns the query. A row contains the group, the caller of a session, and the numbers of a `RecordTotals`; the
    /// groups with the most requests come first.
    ///
    /// - Parameter source: the SQL after `FROM`, with a condition.
    static func rows(from source: String, byCause isByCause: Bool) -> String {
        let names =
            isByCause
            ? "CASE WHEN error IS NOT NULL THEN error WHEN NOT success THEN CAST(status AS TEXT) "
                + "WHEN lowered_max_tokens IS NOT NULL THEN '\(UsageRecord.loweredCause)' END, NULL"
            : "session, CASE WHEN session IS NOT NULL THEN caller END"
        return """
            SELECT \(names), count(*), sum(CASE WHEN success THEN 0 ELSE 1 END),
                sum(prompt_tokens), sum(completion_tokens), count(cost), sum(cost / \(RecordTotals.costScale)),
                sum(cost % \(RecordTotals.costScale)), sum(coalesce(cached_tokens, 0)), sum(coalesce(cache_writes, 0)),
                sum(coalesce(cache_writes_1h, 0)), sum(CASE WHEN cost IS NULL AND provider IS NOT NULL THEN 1 ELSE 0 END),
                sum(CASE WHEN NOT success AND \(FilterSQL.isFailure) THEN 1 ELSE 0 END),
                sum(CASE WHEN NOT success AND \(FilterSQL.isRefusal) THEN 1 ELSE 0 END)
            FROM \(source) AND kind = 0 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
            """
    }
}

extension UsageOverview.Counts {
    /// Creates the counts from a row with the counts in their order, from column 1.
    init(inRow number: (Int) -> Int?) {
        self.init(
            requests: number(1) ?? 0,
            errors: number(2) ?? 0,
            failures: number(3) ?? 0,
            refusals: number(4) ?? 0,
            budgets: number(5) ?? 0
        )
    }
}

extension [UsageOverview.Minute] {
    /// Adds counts to the array's element for `minute`. Does nothing if there is no such element.
    ///
    /// - Parameter minute: the number of minutes since 1970.
    mutating func add(_ counts: UsageOverview.Counts, atMinute minute: Int) {
        guard let first = first?.startMilliseconds, case let position = minute - first / 60_000,
            indices.contains(position)
        else { return }
        self[position].counts.requests += counts.requests
        self[position].counts.errors += counts.errors
        self[position].counts.failures += counts.failures
        self[position].counts.refusals += counts.refusals
        self[position].counts.budgets += counts.budgets
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
            let accumulator = query.countsCalls ? sum.calls : sum.requests
            guard accumulator.count != 0 else { continue }
            let values = query.dimensions.map { dimension in
                let text =
                    switch dimension {
                    case .day: Day(number: key.day).text
                    case .model: key.model
                    case .caller: key.caller
                    case .provider: key.provider
                    case .endpoint: key.endpoint
                    }
                return text.isEmpty ? nil : text
            }
            groups[values, default: UsageFigures()] += accumulator.figures
            self.sum += accumulator.figures
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

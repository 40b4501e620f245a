/// The sums of several usage records, either of requests or of upstream calls.
struct RecordTotals: Sendable, Equatable {
    var count = 0
    var failed = 0
    var promptTokens = 0
    var completionTokens = 0
    /// The number of records with known cost.
    var costs = 0
    /// The sum of all costs, each rounded down to whole 10^-6 dollars. `costRemainder` is the sum of the cut parts, in
    /// 10^-12 dollars.
    var costMillionths = 0
    var costRemainder = 0
    var cachedTokens = 0
    var cacheWrites = 0
    var longCacheWrites = 0
    /// The number of records that reached a vendor and have no known cost.
    var unpriced = 0
    /// The number of failed records that a vendor or the relay failed to serve.
    var failures = 0
    /// The number of failed records that a limit of the relay refused.
    var refusals = 0

    static let costScale = 1_000_000

    /// The totals in the order of `UsageSchema.sumColumns`.
    static let columns: [any WritableKeyPath<RecordTotals, Int> & Sendable] = [
        \.count, \.failed, \.promptTokens, \.completionTokens, \.costs, \.costMillionths, \.costRemainder,
        \.cachedTokens,
        \.cacheWrites, \.longCacheWrites, \.unpriced, \.failures, \.refusals,
    ]

    /// Adds a record to the totals (`sign` is 1), or subtracts it (-1).
    mutating func add(_ record: UsageRecord, _ sign: Int) {
        count &+= sign
        if !record.isSuccess { failed &+= sign }
        promptTokens &+= sign * record.keptPromptTokens
        completionTokens &+= sign * record.keptCompletionTokens
        cachedTokens &+= sign * record.keptCachedTokens
        cacheWrites &+= sign * record.keptCacheWrites
        longCacheWrites &+= sign * record.keptLongCacheWrites
        if record.isUnpriced { unpriced &+= sign }
        if record.isFailure { failures &+= sign }
        if record.isRefusal { refusals &+= sign }
        guard let cost = record.cost?.millionths else { return }
        costs &+= sign
        costMillionths &+= sign * (cost / Self.costScale)
        costRemainder &+= sign * (cost % Self.costScale)
    }

    var figures: UsageFigures {
        var figures = UsageFigures()
        figures.requests = count
        figures.failed = failed
        figures.promptTokens = promptTokens
        figures.completionTokens = completionTokens
        figures.cachedTokens = cachedTokens
        figures.cacheWrites = cacheWrites
        figures.longCacheWrites = longCacheWrites
        figures.unpriced = unpriced
        figures.failures = failures
        figures.refusals = refusals
        if costs > 0 { figures.cost = Int128(costMillionths) * Int128(Self.costScale) + Int128(costRemainder) }
        return figures
    }
}

/// The totals of the records of one day or hour and one group, such as one model. Requests and upstream calls have
/// separate totals.
struct UsageSum: Sendable {
    var requests = RecordTotals()
    var calls = RecordTotals()
    /// The durations and the times to the first byte of requests; nil in sums by day.
    var times: RequestTimes?
    /// The highest SQLite id of the records that were added; 0 if no ids were given.
    var lastID = 0

    /// Adds a record to the totals, or subtracts it if `sign` is -1.
    ///
    /// - Parameters:
    ///   - id: the id of the record's row in SQLite; 0 to leave `lastID` unchanged.
    ///   - request: whether the record changes the totals of requests.
    ///   - call: whether the record changes the totals of calls.
    mutating func add(_ record: UsageRecord, _ sign: Int, id: Int, request: Bool, call: Bool) {
        lastID = max(lastID, id)
        if request {
            requests.add(record, sign)
            times?.add(record, sign)
        }
        if call { calls.add(record, sign) }
    }

    /// Writes the totals and times in the order of `SumsTable.columns`.
    func write(to cells: inout some UsageCells) {
        for totals in [requests, calls] {
            for column in RecordTotals.columns { cells.add(totals[keyPath: column]) }
        }
        for count in times?.counts ?? [] { cells.add(count) }
    }

    /// Reads a row of stored sums, whose key columns begin at position `first`.
    static func row(_ row: some UsageRow, at first: Int) -> (key: SumKey, sum: UsageSum) {
        func text(_ position: Int) -> String { row.text(at: first + position) ?? "" }
        let key = SumKey(
            omitted: SumFields(rawValue: row.number(at: first) ?? 0),
            day: row.number(at: first + 1) ?? 0,
            caller: text(2),
            model: text(3),
            provider: text(4),
            endpoint: text(5)
        )
        let columns = first + UsageSchema.sumKeys.count
        let ofCalls = columns + UsageSchema.totalColumns
        return (
            key,
            UsageSum(
                requests: RecordTotals(row, at: columns),
                calls: RecordTotals(row, at: ofCalls),
                times: RequestTimes(row, at: ofCalls + UsageSchema.totalColumns)
            )
        )
    }
}

extension RecordTotals {
    /// Creates the totals from the columns of a database row, from position `first`.
    init(_ row: some UsageRow, at first: Int) {
        for (position, column) in Self.columns.enumerated() {
            self[keyPath: column] = row.number(at: first + position) ?? 0
        }
    }
}

extension UsageSum {
    static func += (sum: inout UsageSum, more: UsageSum) {
        sum.requests += more.requests
        sum.calls += more.calls
        if let times = more.times { sum.times = (sum.times ?? RequestTimes()) + times }
        sum.lastID = max(sum.lastID, more.lastID)
    }
}

extension RecordTotals {
    static func += (sum: inout RecordTotals, more: RecordTotals) {
        for column in columns { sum[keyPath: column] &+= more[keyPath: column] }
    }
}

import Shared

/// The sums of the records of one day or hour and one group, such as one model. Requests and upstream calls have
/// separate sums.
struct UsageSum: Sendable {
    var requests = UsageFigures()
    var calls = UsageFigures()
    /// The durations and the times to the first byte of requests; nil in sums by day.
    var times: RequestTimes?
    /// The highest SQLite id of the records that were added; 0 if no ids were given.
    var lastID = 0

    /// Adds a record to the sums, or subtracts it if `sign` is -1.
    /// - Parameters:
    ///   - id: the id of the record's row in SQLite; 0 to leave `lastID` unchanged.
    ///   - request: whether the record changes the sums of requests.
    ///   - call: whether the record changes the sums of calls.
    mutating func add(_ record: UsageRecord, _ sign: Int, id: Int, request: Bool, call: Bool) {
        lastID = max(lastID, id)
        if request {
            requests.add(record, sign)
            times?.add(record, sign)
        }
        if call { calls.add(record, sign) }
    }

    /// Writes the sums and times in the order of `SumsTable.columns`.
    func write(to cells: inout some UsageCells) {
        for figures in [requests, calls] {
            for column in UsageFigures.columns { cells.add(figures[keyPath: column.path]) }
        }
        for count in times?.counts ?? [] { cells.add(count) }
    }

    /// Reads a row of stored sums, whose key columns begin at index `first`.
    static func row(_ row: some UsageRow, at first: Int) -> (key: SumKey, sum: UsageSum) {
        var key = SumKey(SumFields(rawValue: row.number(at: first) ?? 0), day: row.number(at: first + 1) ?? 0)
        for (index, field) in UsageField.allCases.enumerated() {
            key[field] = row.text(at: first + 2 + index) ?? ""
        }
        let columns = first + 2 + UsageField.allCases.count
        let count = UsageFigures.columns.count
        let sum = UsageSum(
            requests: UsageFigures(row, at: columns),
            calls: UsageFigures(row, at: columns + count),
            times: RequestTimes(row, at: columns + 2 * count)
        )
        return (key, sum)
    }

    static func += (sum: inout UsageSum, more: UsageSum) {
        sum.requests += more.requests
        sum.calls += more.calls
        if let times = more.times { sum.times = (sum.times ?? RequestTimes()) + times }
        sum.lastID = max(sum.lastID, more.lastID)
    }
}

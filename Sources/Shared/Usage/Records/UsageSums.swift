import Engine

/// The key of a row of daily sums. Texts such as `model` are empty if the records have no such value.
struct SumKey: Sendable, Hashable {
    /// The fields by which the sums with this key are not grouped. Each of these fields is an empty text in the key.
    let omitted: SumFields
    /// The day as the number of days since 1970, in the time zone of the sums.
    var day: Int
    let caller: String
    let model: String
    let provider: String
    let endpoint: String

    /// The largest length of each text in bytes; longer texts are cut.
    static let textBound = 300

    init(omitted: SumFields, day: Int, caller: String, model: String, provider: String, endpoint: String) {
        self.omitted = omitted
        self.day = day
        self.caller = caller
        self.model = model
        self.provider = provider
        self.endpoint = endpoint
    }

    init(_ record: UsageRecord, day: Int) {
        omitted = []
        self.day = day
        caller = Self.bounded(record.caller)
        model = Self.bounded(record.model)
        provider = Self.bounded(record.provider)
        endpoint = Self.bounded(record.endpoint)
    }

    /// Returns whether a record of this day belongs to the sum with this key. Always false if a text of the record is
    /// longer than `textBound`.
    func isKey(of record: UsageRecord, day: Int) -> Bool {
        self.day == day && Self.isSame(model, record.model) && Self.isSame(caller, record.caller)
            && Self.isSame(provider, record.provider) && Self.isSame(endpoint, record.endpoint)
    }

    private static func isSame(_ field: String, _ text: String?) -> Bool {
        if let text { field == text } else { field.isEmpty }
    }

    private static func bounded(_ text: String?) -> String {
        guard let text else { return "" }
        return text.utf8.count <= textBound ? text : text.beginning(ofBytes: textBound)
    }
}

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

    static let costScale = 1_000_000

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
        if costs > 0 { figures.cost = Int128(costMillionths) * Int128(Self.costScale) + Int128(costRemainder) }
        return figures
    }
}

/// The totals of the records of one day and one group, such as one model. Requests and upstream calls have separate
/// totals.
struct DailySum: Sendable {
    var requests = RecordTotals()
    var calls = RecordTotals()
    /// The highest SQLite id of the records that were added; 0 if no ids were given.
    var lastID = 0

    /// Adds a record to the totals, or subtracts it if `sign` is -1.
    ///
    /// - Parameters:
    ///   - id: the id of the record's row in SQLite; 0 to leave `lastID` unchanged.
    ///   - request: whether the record changes the totals of requests.
    ///   - call: whether the record changes the totals of calls.
    fileprivate mutating func add(_ record: UsageRecord, _ sign: Int, id: Int, request: Bool, call: Bool) {
        lastID = max(lastID, id)
        if request { requests.add(record, sign) }
        if call { calls.add(record, sign) }
    }
}

/// The sums of usage records by day, caller, model, provider and endpoint, in memory.
struct UsageSums {
    private(set) var rows: [(key: SumKey, sum: DailySum)] = []
    private var positions: [SumKey: Int] = [:]
    private var calendar: DayCache

    init(_ zone: DayZone) { calendar = DayCache(zone) }

    var isEmpty: Bool { rows.isEmpty }
    var zone: DayZone { calendar.zone }

    /// Removes the sums of the oldest days until at most `bound` rows are left.
    mutating func removeOldestDays(downTo bound: Int) {
        let newest = rows.lazy.map(\.key.day).max() ?? 0
        while rows.count > bound, let oldest = rows.lazy.map(\.key.day).min(), oldest < newest {
            rows.removeAll { $0.key.day == oldest }
        }
        if rows.count > bound { rows.removeLast(rows.count - bound) }
        positions = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1.key, $0) })
    }

    /// Adds a record to the daily sums, or subtracts it if `sign` is -1.
    ///
    /// - Parameter id: the id of the record's row in SQLite; 0 to leave `DailySum.lastID` unchanged.
    mutating func add(_ record: UsageRecord, _ sign: Int = 1, id: Int = 0) {
        let day = calendar.day(at: record.timeMilliseconds)
        let callDay =
            if case .requestWithCall(let call) = record.subject { calendar.day(at: call.timeMilliseconds) } else { day }
        let position = position(of: record, day: day)
        rows[position].sum.add(
            record,
            sign,
            id: id,
            request: record.isOfRequest,
            call: record.hasCall && callDay == day
        )
        guard callDay != day else { return }
        let other = self.position(of: record, day: callDay)
        rows[other].sum.add(record, sign, id: id, request: false, call: true)
    }

    private mutating func position(of record: UsageRecord, day: Int) -> Int {
        // Many records have the same key as the record before. This comparison makes no key, and the span no copy.
        if let last = rows.indices.last, rows.span[last].key.isKey(of: record, day: day) { return last }
        let key = SumKey(record, day: day)
        if let known = positions[key] { return known }
        positions[key] = rows.count
        rows.append((key, DailySum()))
        return rows.count - 1
    }
}

extension SumKey: Comparable {
    static func < (one: SumKey, other: SumKey) -> Bool {
        if one.omitted != other.omitted { return one.omitted.rawValue < other.omitted.rawValue }
        if one.day != other.day { return one.day < other.day }
        for field in [\SumKey.caller, \.model, \.provider, \.endpoint]
        where one[keyPath: field] != other[keyPath: field] {
            return one[keyPath: field].utf8.lexicographicallyPrecedes(other[keyPath: field].utf8)
        }
        return false
    }
}

/// A converter of times to days. It remembers the last day, so that further times of that day are converted fast.
struct DayCache {
    let zone: DayZone
    private var known: (day: Day, milliseconds: Range<Int>)?

    init(_ zone: DayZone) { self.zone = zone }

    /// Returns the day of a time in milliseconds since 1970, as the number of days since 1970.
    mutating func day(at milliseconds: Int) -> Int {
        if let known, known.milliseconds.contains(milliseconds) { return known.day.number }
        let span = zone.span(of: milliseconds)
        if span.milliseconds.contains(milliseconds) { known = span }
        return span.day.number
    }
}

extension UsageRecord {
    private static let maxTokens = 1 << 40

    /// The number of prompt tokens that is stored and summed up. It is limited, so that sums of millions of records
    /// stay exact.
    var keptPromptTokens: Int { min(max(0, promptTokens), Self.maxTokens) }
    var keptCompletionTokens: Int { min(max(0, completionTokens), Self.maxTokens) }
    var keptCachedTokens: Int { min(max(0, usage.cachedTokens), Self.maxTokens) }
    var keptCacheWrites: Int { min(max(0, usage.cacheWriteTokens), Self.maxTokens) }
    var keptLongCacheWrites: Int { usage.longCacheWriteTokens }
}

extension DailySum {
    /// Writes the totals of requests and of calls in the order of `UsageSchema.sumColumns`.
    func write(to cells: inout some UsageCells) {
        for accumulator in [requests, calls] {
            cells.add(accumulator.count)
            cells.add(accumulator.failed)
            cells.add(accumulator.promptTokens)
            cells.add(accumulator.completionTokens)
            cells.add(accumulator.costs)
            cells.add(accumulator.costMillionths)
            cells.add(accumulator.costRemainder)
            cells.add(accumulator.cachedTokens)
            cells.add(accumulator.cacheWrites)
            cells.add(accumulator.longCacheWrites)
            cells.add(accumulator.unpriced)
        }
    }
}

extension DailySum {
    /// Reads a row of stored sums, whose key columns begin at position `first`.
    static func row(_ row: some UsageRow, at first: Int) -> (key: SumKey, sum: DailySum) {
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
        return (key, DailySum(requests: RecordTotals(row, at: columns), calls: RecordTotals(row, at: ofCalls)))
    }
}

extension RecordTotals {
    /// Creates the totals from the columns of a database row, from position `first`.
    init(_ row: some UsageRow, at first: Int) {
        func number(_ position: Int) -> Int { row.number(at: first + position) ?? 0 }
        count = number(0)
        failed = number(1)
        promptTokens = number(2)
        completionTokens = number(3)
        costs = number(4)
        costMillionths = number(5)
        costRemainder = number(6)
        cachedTokens = number(7)
        cacheWrites = number(8)
        longCacheWrites = number(9)
        unpriced = number(10)
    }
}

extension SumKey {
    /// Writes the fields of the key in the order of `UsageSchema.sumKeys`.
    func write(to cells: inout some UsageCells) {
        cells.add(omitted.rawValue)
        cells.add(day)
        cells.add(caller)
        cells.add(model)
        cells.add(provider)
        cells.add(endpoint)
    }
}

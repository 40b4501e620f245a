import Engine

/// The fields by which sums are kept. A text that records lack is empty.
struct SumKey: Sendable, Hashable {
    /// The number of the day since 1970, in the zone of the sums.
    var day: Int
    let caller: String
    let model: String
    let provider: String
    let endpoint: String

    /// Longer texts are cut, so that a database can index all of them together.
    static let textBound = 300

    init(day: Int, caller: String, model: String, provider: String, endpoint: String) {
        self.day = day
        self.caller = caller
        self.model = model
        self.provider = provider
        self.endpoint = endpoint
    }

    init(_ record: UsageRecord, day: Int) {
        self.day = day
        caller = Self.bounded(record.caller)
        model = Self.bounded(record.model)
        provider = Self.bounded(record.provider)
        endpoint = Self.bounded(record.endpoint)
    }

    private static func bounded(_ text: String?) -> String {
        guard let text else { return "" }
        return text.utf8.count <= textBound ? text : text.beginning(ofBytes: textBound)
    }
}

/// The sums of some records of one kind.
struct Tally: Sendable, Equatable {
    var count = 0
    var failed = 0
    var promptTokens = 0
    var completionTokens = 0
    /// The number of records whose cost is known.
    var costs = 0
    /// The cost in two parts, whose sums do not overflow: 10^-6 dollars, and the rest in 10^-12 dollars.
    var costMillionths = 0
    var costRest = 0

    static let costScale = 1_000_000

    /// - Parameter sign: 1 adds the record, -1 takes it out.
    mutating func add(_ record: UsageRecord, _ sign: Int) {
        count &+= sign
        if !record.isSuccess { failed &+= sign }
        promptTokens &+= sign * record.keptPromptTokens
        completionTokens &+= sign * record.keptCompletionTokens
        guard let cost = record.cost?.millionths else { return }
        costs &+= sign
        costMillionths &+= sign * (cost / Self.costScale)
        costRest &+= sign * (cost % Self.costScale)
    }

    var figures: UsageFigures {
        var figures = UsageFigures()
        figures.requests = count
        figures.failed = failed
        figures.promptTokens = promptTokens
        figures.completionTokens = completionTokens
        if costs > 0 { figures.cost = Int128(costMillionths) * Int128(Self.costScale) + Int128(costRest) }
        return figures
    }
}

/// The sums of a key: of requests, and of calls.
struct DailySum: Sendable {
    var requests = Tally()
    var calls = Tally()
    /// The highest id of a row that was added; 0 where ids are no numbers.
    var lastID = 0
}

/// Sums of records by day, caller, model, provider and endpoint, as they gather before they are written.
struct UsageSums {
    private(set) var rows: [(key: SumKey, sum: DailySum)] = []
    private var positions: [SumKey: Int] = [:]
    private var calendar: DayCache

    init(_ zone: DayZone) { calendar = DayCache(zone) }

    var isEmpty: Bool { rows.isEmpty }
    var zone: DayZone { calendar.zone }

    /// The rows in the order of their keys: writers that keep to one order do not block each other for ever.
    var sorted: [(key: SumKey, sum: DailySum)] { rows.sorted { $0.key < $1.key } }

    /// Forgets the oldest days, until so many rows are left or one day.
    mutating func removeOldestDays(downTo bound: Int) {
        let newest = rows.lazy.map(\.key.day).max() ?? 0
        while rows.count > bound, let oldest = rows.lazy.map(\.key.day).min(), oldest < newest {
            rows.removeAll { $0.key.day == oldest }
        }
        if rows.count > bound { rows.removeLast(rows.count - bound) }
        positions = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1.key, $0) })
    }

    /// Adds a record; one of a request with its only call adds to both.
    ///
    /// - Parameters:
    ///   - sign: 1, or -1 to take it out.
    ///   - id: the id of its row.
    mutating func add(_ record: UsageRecord, _ sign: Int = 1, id: Int = 0) {
        let position = position(of: record, day: calendar.day(at: record.timeMilliseconds))
        rows[position].sum.lastID = max(rows[position].sum.lastID, id)
        switch record.subject {
        case .request: rows[position].sum.requests.add(record, sign)
        case .call: rows[position].sum.calls.add(record, sign)
        case .requestWithCall(let call):
            rows[position].sum.requests.add(record, sign)
            let day = calendar.day(at: call.timeMilliseconds)
            let other = rows[position].key.day == day ? position : self.position(of: record, day: day)
            rows[other].sum.calls.add(record, sign)
            rows[other].sum.lastID = max(rows[other].sum.lastID, id)
        }
    }

    private mutating func position(of record: UsageRecord, day: Int) -> Int {
        let key = SumKey(record, day: day)
        // Most records have the key of the one before.
        if let last = rows.last, last.key == key { return rows.count - 1 }
        if let known = positions[key] { return known }
        positions[key] = rows.count
        rows.append((key, DailySum()))
        return rows.count - 1
    }
}

extension SumKey: Comparable {
    static func < (one: SumKey, other: SumKey) -> Bool {
        if one.day != other.day { return one.day < other.day }
        for field in [\SumKey.caller, \.model, \.provider, \.endpoint]
        where one[keyPath: field] != other[keyPath: field] {
            return one[keyPath: field].utf8.lexicographicallyPrecedes(other[keyPath: field].utf8)
        }
        return false
    }
}

/// The days of times that are close to each other.
struct DayCache {
    let zone: DayZone
    private var known: (day: Day, milliseconds: Range<Int>)?

    init(_ zone: DayZone) { self.zone = zone }

    /// The number of the day since 1970.
    mutating func day(at milliseconds: Int) -> Int {
        if let known, known.milliseconds.contains(milliseconds) { return known.day.number }
        let span = zone.span(of: milliseconds)
        if span.milliseconds.contains(milliseconds) { known = span }
        return span.day.number
    }
}

extension UsageRecord {
    private static let mostTokens = 1 << 40

    /// The tokens as they are kept: sums of millions of records are exact.
    var keptPromptTokens: Int { min(max(0, promptTokens), Self.mostTokens) }
    var keptCompletionTokens: Int { min(max(0, completionTokens), Self.mostTokens) }
}

extension DailySum {
    /// Writes the numbers in the order of `UsageSchema.sumColumns`.
    func write(to cells: inout some UsageCells) {
        for tally in [requests, calls] {
            cells.add(tally.count)
            cells.add(tally.failed)
            cells.add(tally.promptTokens)
            cells.add(tally.completionTokens)
            cells.add(tally.costs)
            cells.add(tally.costMillionths)
            cells.add(tally.costRest)
        }
    }
}

extension DailySum {
    /// Reads a row of sums: the keys, then the columns.
    static func row(_ row: some UsageRow, at first: Int) -> (key: SumKey, sum: DailySum) {
        func text(_ position: Int) -> String { row.text(at: first + position) ?? "" }
        let key = SumKey(
            day: row.number(at: first) ?? 0,
            caller: text(1),
            model: text(2),
            provider: text(3),
            endpoint: text(4)
        )
        let columns = first + UsageSchema.sumKeys.count
        return (key, DailySum(requests: Tally(row, at: columns), calls: Tally(row, at: columns + 7)))
    }
}

extension Tally {
    /// Reads seven numbers.
    init(_ row: some UsageRow, at first: Int) {
        func number(_ position: Int) -> Int { row.number(at: first + position) ?? 0 }
        count = number(0)
        failed = number(1)
        promptTokens = number(2)
        completionTokens = number(3)
        costs = number(4)
        costMillionths = number(5)
        costRest = number(6)
    }
}

extension SumKey {
    /// Writes the fields in the order of `UsageSchema.sumKeys`.
    func write(to cells: inout some UsageCells) {
        cells.add(day)
        cells.add(caller)
        cells.add(model)
        cells.add(provider)
        cells.add(endpoint)
    }
}

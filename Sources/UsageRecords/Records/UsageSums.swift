import Engine
import Shared

/// The key of a row of sums by day or hour. Texts such as `model` are empty if the records have no such value.
struct SumKey: Sendable, Hashable {
    /// The fields by which the sums with this key are not grouped. Each of these fields is an empty text in the key.
    private(set) var omitted: SumFields
    /// The day as the number of days since 1970, in the time zone of the sums; or the hour since 1970.
    var day: Int
    private(set) var caller = ""
    private(set) var model = ""
    private(set) var provider = ""
    private(set) var endpoint = ""

    init(_ omitted: SumFields, day: Int) { (self.omitted, self.day) = (omitted, day) }

    subscript(field: UsageField) -> String {
        get {
            switch field {
            case .caller: caller
            case .model: model
            case .provider: provider
            case .endpoint: endpoint
            }
        }
        set {
            switch field {
            case .caller: caller = newValue
            case .model: model = newValue
            case .provider: provider = newValue
            case .endpoint: endpoint = newValue
            }
        }
    }

    /// The largest length of each text in bytes; longer texts are cut.
    static let textBound = 300

    /// Returns whether a record of this day belongs to the sum with this key. Always false if a text of the record is
    /// longer than `textBound`.
    func isKey(of record: UsageRecord, day: Int) -> Bool {
        self.day == day && isSame(model, record.model, .model) && isSame(caller, record.caller, .caller)
            && isSame(provider, record.provider, .provider) && isSame(endpoint, record.endpoint, .endpoint)
    }

    private func isSame(_ field: String, _ text: String?, _ name: SumFields) -> Bool {
        if omitted.contains(name) { return true }
        return if let text { field == text } else { field.isEmpty }
    }

    private static func bounded(_ text: String?) -> String {
        guard let text else { return "" }
        return text.utf8.count <= textBound ? text : text.beginning(ofBytes: textBound)
    }

    /// Returns this key for sums that are not grouped by `fields`. The texts of these fields become empty.
    func omitting(_ fields: SumFields) -> SumKey {
        var key = self
        key.omitted = fields
        for field in UsageField.allCases where fields.contains(field) { key[field] = "" }
        return key
    }
}

/// The sums of usage records by a span of time, such as a day, and by text fields, in memory.
struct SumTable {
    private(set) var rows: [(key: SumKey, sum: UsageSum)] = []
    private var indices: [SumKey: Int] = [:]
    private let omitted: SumFields
    private let hasTimes: Bool

    /// - Parameters:
    ///   - omitted: the fields by which the sums are not grouped.
    ///   - hasTimes: whether the sums contain durations and times to the first byte.
    init(omitting omitted: SumFields, hasTimes: Bool) {
        self.omitted = omitted
        self.hasTimes = hasTimes
    }

    /// Adds a record, or subtracts it if `sign` is -1.
    /// - Parameters:
    ///   - id: the id of the record's row in SQLite; 0 to leave `UsageSum.lastID` unchanged.
    ///   - span: the number of the span in which the record ended; nil to leave the record out.
    ///   - callSpan: the span in which the request's only call ended; nil to leave the call out.
    mutating func add(_ record: UsageRecord, _ sign: Int = 1, id: Int = 0, in span: Int?, callSpan: Int?) {
        let isCallBeside = callSpan != span
        if let span {
            let index = index(of: record, span)
            let hasCall = record.hasCall && !isCallBeside
            rows[index].sum.add(record, sign, id: id, request: record.isOfRequest, call: hasCall)
        }
        guard isCallBeside, let callSpan else { return }
        rows[index(of: record, callSpan)].sum.add(record, sign, id: id, request: false, call: true)
    }

    private mutating func index(of record: UsageRecord, _ span: Int) -> Int {
        // Many records have the same key as the record before. This comparison makes no key, and `Span` no copy.
        if let last = rows.indices.last, rows.span[last].key.isKey(of: record, day: span) { return last }
        let key = SumKey(record, day: span, omitting: omitted)
        if let known = indices[key] { return known }
        indices[key] = rows.count
        rows.append((key, UsageSum(times: hasTimes ? RequestTimes() : nil)))
        return rows.count - 1
    }

    /// Removes the sums of the oldest spans until at most `bound` rows are left.
    mutating func removeOldest(downTo bound: Int) {
        let newest = rows.lazy.map(\.key.day).max() ?? 0
        while rows.count > bound, let oldest = rows.lazy.map(\.key.day).min(), oldest < newest {
            rows.removeAll { $0.key.day == oldest }
        }
        if rows.count > bound { rows.removeLast(rows.count - bound) }
        indices = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1.key, $0) })
    }

    /// The rows for a database: for each set in `omissions`, the sums that are not grouped by these fields. The rows
    /// are sorted by key, so that writers do not deadlock.
    func stored(_ omissions: [SumFields]) -> [(key: SumKey, sum: UsageSum)] {
        var sums: [SumKey: UsageSum] = [:]
        for row in rows {
            for omitted in omissions { sums[row.key.omitting(omitted), default: UsageSum()] += row.sum }
        }
        return sums.map { (key: $0.key, sum: $0.value) }.sorted { $0.key < $1.key }
    }
}

/// The sums of usage records in memory: by day, caller, model, provider and endpoint, and by hour, model and provider.
struct UsageSums {
    private(set) var days = SumTable(omitting: [], hasTimes: false)
    private(set) var hours = SumTable(omitting: SumsTable.hours.omissions[0], hasTimes: true)
    private var calendar: DayCache

    static let hourMilliseconds = 3_600_000

    init(_ zone: DayZone) { calendar = DayCache(zone) }

    var zone: DayZone { calendar.zone }
    var rowCount: Int { days.rows.count + hours.rows.count }

    /// Removes the sums of the oldest days and hours if either has more than `bound` rows.
    mutating func removeOldest(above bound: Int) {
        if days.rows.count > bound { days.removeOldest(downTo: bound / 2) }
        if hours.rows.count > bound { hours.removeOldest(downTo: bound / 2) }
    }

    /// Adds a record to the sums, or subtracts it if `sign` is -1.
    /// - Parameter id: the id of the record's row in SQLite; 0 to leave `UsageSum.lastID` unchanged.
    mutating func add(_ record: UsageRecord, _ sign: Int = 1, id: Int = 0) {
        let time = record.timeMilliseconds
        let day = calendar.day(at: time)
        let hour = floorDivide(time, by: Self.hourMilliseconds)
        var (callDay, callHour) = (day, hour)
        if case .requestWithCall(let call) = record.subject {
            callDay = calendar.day(at: call.timeMilliseconds)
            callHour = floorDivide(call.timeMilliseconds, by: Self.hourMilliseconds)
        }
        days.add(record, sign, id: id, in: day, callSpan: callDay)
        hours.add(record, sign, id: id, in: hour, callSpan: callHour)
    }
}

extension SumKey {
    init(_ record: UsageRecord, day: Int, omitting omitted: SumFields) {
        self.init(omitted, day: day)
        for field in UsageField.allCases where !omitted.contains(field) { self[field] = Self.bounded(record[field]) }
    }
}

extension SumKey: Comparable {
    static func < (one: SumKey, other: SumKey) -> Bool {
        if one.omitted != other.omitted { return one.omitted.rawValue < other.omitted.rawValue }
        if one.day != other.day { return one.day < other.day }
        for field in UsageField.allCases where one[field] != other[field] {
            return one[field].utf8.lexicographicallyPrecedes(other[field].utf8)
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
    var keptStatus: Int? { status.map { Int(Int32(clamping: $0)) } }
    var keptLongCacheWrites: Int { usage.longCacheWriteTokens }
}

extension SumKey {
    /// Writes the fields of the key in the order of `SumsTable.keys`.
    func write(to cells: inout some UsageCells, _ table: SumsTable) {
        cells.add(omitted.rawValue)
        cells.add(day)
        for field in table.fields { cells.add(self[field]) }
    }
}

extension UsageRecord {
    subscript(field: UsageField) -> String? {
        switch field {
        case .caller: caller
        case .model: model
        case .provider: provider
        case .endpoint: endpoint
        }
    }
}

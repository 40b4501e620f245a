import Engine
import Shared

/// A query for sums of requests over time, in at most a hundred steps if the sums are by minute or hour.
package struct TimelineQuery: Sendable {
    package enum Group: String, CaseIterable, Sendable {
        case model
        case provider
        case caller
        case endpoint
        /// The kinds of the causes of failed requests.
        case cause
        /// The end users that requests name.
        case user

        /// Whether the sums are computed from records, because no stored sums have the group.
        var isUnstored: Bool { self == .cause || self == .user }

        /// The text field of the group; nil for causes and end users.
        var field: UsageField? { UsageField(rawValue: rawValue) }
    }

    /// The unit of the steps. Records are read for minutes, which can be divided.
    package enum Step: String, Sendable {
        case minute
        case hour
        case day
    }

    /// The field by which the sums are grouped; nil for one group.
    package let group: Group?
    /// The caller, model, provider and endpoint of the requests.
    package let filter: RecordFilter
    /// The range of the requests' ends, in milliseconds since 1970.
    package let range: Range<Int>

    /// Creates a query with the caller, model, provider and endpoint of `filter`, and no other conditions.
    package init(by group: Group?, _ filter: RecordFilter, in range: Range<Int>) {
        self.group = group
        var fields = RecordFilter()
        for field in UsageField.allCases { fields[field] = filter[field] }
        self.filter = fields
        self.range = range
    }

    /// Whether upstream calls are summed up instead of requests, as for sums by provider.
    package var countsCalls: Bool { group == .provider }

    fileprivate var fields: SumFields {
        filter.fields.union(SumFields([group?.field].compactMap(\.self)))
    }
}

/// The steps of a timeline, and the records and stored sums from which each of them is computed.
///
/// Records are read for minutes, and for the parts of the first and last step that the stored sums do not separate.
struct TimelinePlan: Sendable {
    /// Stored sums that belong to a step: the days or hours from `first`, before `end`.
    struct Stored: Sendable, Equatable {
        let slot: Int
        let first: Int
        let end: Int
    }

    let query: TimelineQuery
    /// The start of each step, in milliseconds since 1970.
    private(set) var starts: [Int] = []
    /// The ranges of time whose records are read, in milliseconds since 1970.
    private(set) var read: [Range<Int>] = []
    private(set) var stored: [Stored] = []
    let table: SumsTable
    let step: TimelineQuery.Step
    let stepMilliseconds: Int

    private static let minute = 60_000
    private static let hour = UsageSums.hourMilliseconds
    private static let maxSteps = 3_000
    /// The largest number of steps that are shorter than a day, by which the length of a step is chosen.
    private static let maxColumns = 100
    private static let lengths: [(step: TimelineQuery.Step, seconds: [Int])] = [
        (.minute, [10, 15, 30, 60, 120, 300, 600, 900]), (.hour, [1, 2, 3, 4, 6, 8].map { $0 * 3_600 }),
    ]

    /// Creates the plan. A range that ends in the future ends with the step of the present time.
    init(_ query: TimelineQuery, _ zone: DayZone, now: Int) {
        self.query = query
        let range = query.range
        // Records that are written late are never in the future, so the last step can be read whole.
        let isOpen = range.upperBound >= now
        let isByHour = query.fields.isSubset(of: [.model, .provider])
        let fine = range.count <= 24 * Self.hour + Self.minute ? Self.lengths[0] : Self.lengths[1]
        let seconds = fine.seconds.first { range.count / ($0 * 1_000) <= Self.maxColumns }
        step = seconds == nil || fine.step == .hour && !isByHour ? .day : fine.step
        stepMilliseconds = step == .day ? 24 * Self.hour : (seconds ?? 0) * 1_000
        let bounds = Self.edges(range, step, every: stepMilliseconds, zone)
        var edges = bounds
        let isAligned = edges.allSatisfy { $0 % Self.hour == 0 }
        table = step == .hour || isByHour && isAligned ? .hours : .days
        starts = Array(edges.dropLast())
        if !isOpen { edges[edges.count - 1] = max(range.upperBound, edges[edges.count - 2]) }
        guard step != .minute, query.group?.isUnstored != true else {
            read = [range.lowerBound..<max(range.lowerBound, edges[edges.count - 1])]
            return
        }
        for (slot, (start, end)) in zip(starts, bounds.dropFirst()).enumerated() {
            let part = max(start, range.lowerBound)..<max(start, range.lowerBound, min(end, edges[slot + 1]))
            if part == start..<end {
                let (first, count) =
                    table.hasTimes
                    ? (start / Self.hour, (end - start) / Self.hour) : (zone.day(atMilliseconds: start).number, 1)
                stored.append(Stored(slot: slot, first: first, end: first + count))
            } else {
                read.append(part)
            }
        }
    }

    /// Returns the starts of all steps that overlap the range, and the end of the last one.
    ///
    /// Steps begin with the days of the time zone, unless its days do not begin with an hour.
    private static func edges(
        _ range: Range<Int>,
        _ step: TimelineQuery.Step,
        every size: Int,
        _ zone: DayZone
    ) -> [Int] {
        let last = max(range.lowerBound, range.upperBound - 1)
        let (first, end) = (
            zone.day(atMilliseconds: range.lowerBound).number, zone.day(atMilliseconds: last).number + 1
        )
        let days = (first...min(end, first + maxSteps)).map { zone.startMilliseconds(of: Day(number: $0)) }
        if step == .day { return days }
        guard days.allSatisfy({ $0 % hour == 0 }) else {
            let (first, end) = (floorDivide(range.lowerBound, by: size), floorDivide(last, by: size) + 1)
            return (first...end).map { $0 * size }
        }
        let starts = zip(days, days.dropFirst()).flatMap { stride(from: $0, to: $1, by: size) } + days.suffix(1)
        let before = starts.lastIndex { $0 <= range.lowerBound } ?? 0
        let after = starts.firstIndex { $0 > last } ?? starts.count - 1
        return Array(starts[before...after])
    }

    /// Returns the step that contains a time; nil if the time is not in `range`.
    private func slot(of time: Int, in range: Range<Int>) -> Int? {
        guard range.contains(time) else { return nil }
        var (low, high) = (0, starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= time { low = middle } else { high = middle }
        }
        return low
    }

    var emptyTable: SumTable {
        SumTable(omitting: SumFields(UsageField.allCases).subtracting(fields), hasTimes: true)
    }

    /// The fields by which the records that are read are grouped.
    var fields: SumFields {
        query.group?.isUnstored == true ? .model : SumFields([query.group?.field].compactMap(\.self))
    }

    /// Adds a record to the sums of the steps in which it and its only call ended, as far as these are in `range`.
    func add(_ record: UsageRecord, to sums: inout SumTable, in range: Range<Int>) {
        var record = record
        if query.group == .cause {
            guard record.isOfRequest, !record.isSuccess else { return }
            record.model = record.error ?? record.status.map { "\($0)" }
        }
        if query.group == .user { record.model = record.endUser }
        let slot = slot(of: record.timeMilliseconds, in: range)
        var callSlot = slot
        if case .requestWithCall(let call) = record.subject {
            callSlot = self.slot(of: call.timeMilliseconds, in: range)
        }
        sums.add(record, in: slot, callSpan: callSlot)
    }

    /// Returns the query for the stored sums. Its columns are those of `UsageSum.row`, with the step instead of the day.
    /// In PostgreSQL, all numbers of the sums are one text, as in `PackedRow`.
    func sql(_ dialect: FilterSQL.Dialect) -> (text: String, values: [FilterSQL.Value]) {
        var filter = FilterSQL(dialect)
        filter.add(summed: query.filter)
        let omitted = table.omitted(keeping: query.fields) ?? []
        let texts = UsageField.allCases.map { fields.contains($0) ? "sums.\($0.rawValue)" : "''" }.joined(
            separator: ","
        )
        let span = "sums.\(table.span)"
        let columns = table.columns.map { "sum(sums.\($0))" }.joined(separator: ",")
        let condition = "omitted = \(omitted.rawValue) AND \(filter.condition)"
        let first = stored.first ?? Stored(slot: 0, first: 0, end: 0)
        let text =
            switch dialect {
            case .sqlite:
                """
                WITH spans (slot, first, last) AS (VALUES \(stored.map { "(\($0.slot),\($0.first),\($0.end))" }.joined(separator: ",")))
                SELECT 0, slot, \(texts),\(columns) FROM spans CROSS JOIN \(table.name) AS sums
                WHERE \(span) >= first AND \(span) < last AND \(condition) GROUP BY 1, 2, 3, 4, 5, 6
                """
            // The steps follow each other. The planner knows no better way for a join with them than one search each.
            case .postgres:
                """
                SELECT 0, width_bucket(\(span), '{\(stored.map { "\($0.first)" }.joined(separator: ","))}'::integer[]) + \(first.slot - 1),
                    \(texts), concat_ws(',', \(columns)) FROM \(table.postgresName) AS sums
                WHERE \(span) >= \(first.first) AND \(span) < \(stored.last?.end ?? 0) AND \(condition) GROUP BY 1, 2, 3, 4, 5, 6
                """
            }
        return (text, filter.values)
    }

    /// Adds the stored sums in memory to the sums of their steps.
    func add(_ rows: [(key: SumKey, sum: UsageSum)], to found: inout [(key: SumKey, sum: UsageSum)]) {
        let filter = query.filter
        for var row in rows {
            let isMatch = UsageField.allCases.allSatisfy { filter[$0] == nil || filter[$0] == row.key[$0] }
            guard isMatch, let span = stored.first(where: { $0.first <= row.key.day && row.key.day < $0.end }) else {
                continue
            }
            row.key.day = span.slot
            found.append(row)
        }
    }
}

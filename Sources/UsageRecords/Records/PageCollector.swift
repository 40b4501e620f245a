import Engine
import Shared

/// Selects the records of one page of a list. Add the matching records in the order of their ids.
struct PageCollector<ID> {
    /// The value by which a record is sorted. In ascending order, records without a value come first.
    struct SortValue: Comparable {
        var number: Int?
        var text: String?

        static func < (one: SortValue, other: SortValue) -> Bool {
            if one.number != other.number { return (one.number ?? .min) < (other.number ?? .min) }
            return (one.text ?? "").utf8.lexicographicallyPrecedes((other.text ?? "").utf8)
        }

        static func == (one: SortValue, other: SortValue) -> Bool {
            one.number == other.number && (one.text ?? "") == (other.text ?? "")
        }
    }

    private let query: RecordQuery
    /// The number of all matching records if it is already known; otherwise nil.
    private let knownTotal: Int?
    private let skipped: Int
    /// The largest number of records that this page and all pages before it contain together.
    private let needed: Int
    private var candidates: [(value: SortValue, rank: Int, id: ID)] = []
    private var matched = 0
    /// The time after which a search stops if the page is full, although more records might match.
    private let enoughFrom: LoopTime
    private(set) var isStopped = false

    private static var enoughMilliseconds: Int { 200 }

    /// - Parameter end: the deadline of the query; with `.distantFuture`, `stops` never returns true.
    init(_ query: RecordQuery, knownTotal: Int? = nil, until end: LoopTime) {
        self.query = query
        let isEndless = end == .distantFuture
        enoughFrom = isEndless ? end : LoopTime.current().adding(milliseconds: Self.enoughMilliseconds)
        self.knownTotal = knownTotal
        let size = min(max(1, query.recordsPerPage), RecordQuery.maxSummed)
        skipped = min(max(0, query.page - 1), RecordQuery.maxTotal) * size
        needed = min(skipped + size, RecordQuery.maxTotal)
    }

    private var isByID: Bool { query.order == .id }

    /// Whether the page is full and its `total` is final, so that the search can end. False if the records are not
    /// sorted by id.
    var isComplete: Bool {
        guard isByID, matched >= needed else { return false }
        return knownTotal != nil || matched > RecordQuery.maxTotal
    }

    /// Returns whether the search should stop, because the page is full and counting all matching records would take
    /// too long. Then sets `isStopped`.
    mutating func stops(at now: LoopTime) -> Bool {
        if isByID, matched >= needed, now > enoughFrom { isStopped = true }
        return isStopped
    }

    /// The largest number of records that the next database query needs to return: the first ones in the order of the
    /// page.
    var room: Int { isByID ? max(1, (knownTotal == nil ? RecordQuery.maxTotal + 1 : needed) - matched) : needed }

    /// Adds to the total a number of matching records that cannot be on the page.
    mutating func addUnlisted(_ count: Int) { matched += max(0, count) }

    /// Adds a matching record with the value by which it is sorted.
    mutating func add(_ id: ID, _ value: @autoclosure () -> SortValue) {
        matched += 1
        if isByID {
            if matched > skipped, matched <= needed { candidates.append((SortValue(), matched, id)) }
            return
        }
        candidates.append((value(), matched, id))
        if candidates.count >= 2 * needed + 1_000 { sort() }
    }

    private mutating func sort() {
        let isDescending = query.isDescending
        candidates.sort { one, other in
            if one.value == other.value { return one.rank < other.rank }
            return isDescending ? one.value > other.value : one.value < other.value
        }
        candidates.removeLast(max(0, candidates.count - needed))
    }

    /// Returns the ids of the records on the page, in the order of the page.
    mutating func ids() -> [ID] {
        if isByID { return candidates.map(\.id) }
        sort()
        return candidates.dropFirst(skipped).map(\.id)
    }

    /// Returns the page with the number of matching records, but without the records themselves.
    func page() -> RecordPage {
        var page = RecordPage()
        let total = max(knownTotal ?? 0, matched)
        page.total = min(total, RecordQuery.maxTotal)
        page.isTotalBound = total > RecordQuery.maxTotal || isStopped
        return page
    }
}

/// A store whose usage records can be read. Its functions may block; only the thread of a `RecordReader` calls them.
protocol RecordSource: AnyObject, Sendable {
    /// Returns one page of the records that match a query. The search stops at the time `end`, even if incomplete.
    func page(_ query: RecordQuery, until end: LoopTime) throws(UsageFailure) -> RecordPage

    /// Returns the records of a request and its upstream calls; nil if no request has this id.
    func request(_ id: RecordID, until end: LoopTime) throws(UsageFailure) -> StoredRequest?

    /// Returns the sums for a query. If the time `end` passes first, `isPartial` may be true.
    func table(_ query: UsageQuery, until end: LoopTime) throws(UsageFailure) -> UsageTable

    /// Counts the requests that ended in each minute since a time. Returns nil if the time `end` passed before all
    /// requests were counted.
    func minutes(since startMilliseconds: Int, until end: LoopTime) throws(UsageFailure) -> MinuteCounts?

    /// Returns the sums of a timeline's steps, with the step instead of the day in each key, and whether the sums may
    /// lack records.
    func timeline(
        _ plan: TimelinePlan,
        until end: LoopTime
    ) throws(UsageFailure) -> (rows: [(key: SumKey, sum: UsageSum)], isPartial: Bool)
}

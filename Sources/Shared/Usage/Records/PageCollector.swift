import Engine

/// Selects the records of a page from the matching records, which are added in the order of their ids.
struct PageCollector<ID> {
    /// The value by which records are sorted. A record without a value comes first.
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
    /// The number of matching records, if it is already known.
    private let knownTotal: Int?
    private let skipped: Int
    /// The number of records up to the end of the page.
    private let needed: Int
    private var candidates: [(value: SortValue, position: Int, id: ID)] = []
    private var matched = 0
    /// The time after which the search ends once the page is full, although more records may match.
    private let enoughFrom: LoopTime
    private(set) var isStopped = false

    private static var enoughMilliseconds: Int { 200 }

    /// - Parameter end: the time at which the query ends; a query without an end counts all that match.
    init(_ query: RecordQuery, knownTotal: Int? = nil, until end: LoopTime) {
        self.query = query
        let isEndless = end == .distantFuture
        enoughFrom = isEndless ? end : LoopTime.current().adding(milliseconds: Self.enoughMilliseconds)
        self.knownTotal = knownTotal
        let size = min(max(1, query.recordsPerPage), RecordQuery.maxRecords)
        skipped = min(max(0, query.page - 1), RecordQuery.maxTotal) * size
        needed = min(skipped + size, RecordQuery.maxTotal)
    }

    /// Whether the page is in the order of the ids.
    private var isByID: Bool { query.order == .id }

    /// Whether further records would change nothing.
    var isComplete: Bool {
        guard isByID, matched >= needed else { return false }
        return knownTotal != nil || matched > RecordQuery.maxTotal
    }

    /// Whether the page is full, and the time over in which it is worth while to count what else matches.
    mutating func stops(at now: LoopTime) -> Bool {
        if isByID, matched >= needed, now > enoughFrom { isStopped = true }
        return isStopped
    }

    /// The largest number of further records that could change the result, if they come in the order of the page.
    var room: Int { isByID ? max(1, (knownTotal == nil ? RecordQuery.maxTotal + 1 : needed) - matched) : needed }

    /// Counts matching records that cannot be on the page.
    mutating func addUnlisted(_ count: Int) { matched += max(0, count) }

    /// Adds a matching record.
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
            if one.value == other.value { return one.position < other.position }
            return isDescending ? one.value > other.value : one.value < other.value
        }
        candidates.removeLast(max(0, candidates.count - needed))
    }

    /// Returns the ids of the page, in its order.
    mutating func ids() -> [ID] {
        if isByID { return candidates.map(\.id) }
        sort()
        return candidates.dropFirst(skipped).map(\.id)
    }

    /// Returns the page with its totals, but without records.
    func page() -> RecordPage {
        var page = RecordPage()
        let total = max(knownTotal ?? 0, matched)
        page.total = min(total, RecordQuery.maxTotal)
        page.isTotalBound = total > RecordQuery.maxTotal || isStopped
        return page
    }
}

package import Engine
package import Shared

/// Reads the stored usage records, on its own thread.
///
/// A query ends after one second with the results so far. All functions throw a `UsageFailure` if the store cannot be
/// read or too many queries wait. The failure's text is only for the log: it may contain names of hosts and files.
package final class RecordReader: Sendable {
    private static let queryMilliseconds = 1_000
    private static let maxWaiting = 64
    /// The longest wait for a query's result, in nanoseconds, including the wait for queries before it in the queue.
    private static let resultNanoseconds: UInt64 = 10_000_000_000

    private let source: any RecordSource
    private let delete: @Sendable ([RecordID]) throws(UsageFailure) -> Int
    private let worker = Worker(bound: RecordReader.maxWaiting)
    private let overviews = Lock(OverviewMemory())
    private let currentZone: @Sendable () -> DayZone

    /// Creates a reader. `delete` deletes records on the thread that writes to the store, and waits until this is done.
    init(
        _ source: any RecordSource,
        zone: @escaping @Sendable () -> DayZone,
        delete: @escaping @Sendable ([RecordID]) throws(UsageFailure) -> Int
    ) {
        self.source = source
        currentZone = zone
        self.delete = delete
    }

    /// The time zone in which the daily sums count days.
    package var zone: DayZone { currentZone() }

    package func stop() { worker.stop() }

    /// Returns the records of the requests that match a query, newest first by default.
    package func records(_ query: RecordQuery, on loop: EventLoop) async throws(UsageFailure) -> RecordPage {
        try await result(on: loop) { [source] end throws(UsageFailure) in try source.page(query, until: end) }
    }

    /// Returns the sums and durations of the newest requests that match a filter.
    package func figures(_ filter: RecordFilter, on loop: EventLoop) async throws(UsageFailure) -> RecordFigures {
        var query = RecordQuery()
        query.filter = filter
        query.recordsPerPage = RecordQuery.maxSummed
        return RecordFigures(try await records(query, on: loop))
    }

    /// Returns the records of a request and its upstream calls; nil if no request has this id.
    package func request(_ id: RecordID, on loop: EventLoop) async throws(UsageFailure) -> StoredRequest? {
        try await result(on: loop) { [source] end throws(UsageFailure) in try source.request(id, until: end) }
    }

    /// Deletes requests with their upstream calls, and subtracts them from the daily sums. Returns the number of
    /// deleted requests.
    package func delete(_ ids: [RecordID], on loop: EventLoop) async throws(UsageFailure) -> Int {
        try await result(on: loop) { [delete] _ throws(UsageFailure) in try delete(ids) }
    }

    package func usage(_ query: UsageQuery, on loop: EventLoop) async throws(UsageFailure) -> UsageTable {
        try await result(on: loop) { [source] end throws(UsageFailure) in try source.table(query, until: end) }
    }

    /// Returns the sums of requests over time.
    package func timeline(_ query: TimelineQuery, on loop: EventLoop) async throws(UsageFailure) -> Timeline {
        let plan = TimelinePlan(query, zone, now: Timestamp.now())
        return try await result(on: loop) { [source] end throws(UsageFailure) in
            let found = try source.timeline(plan, until: end)
            return Timeline(plan, found.rows, isPartial: found.isPartial)
        }
    }

    /// Returns the usage of the last hour, today and yesterday. The result is cached for one second.
    package func overview(on loop: EventLoop) async throws(UsageFailure) -> UsageOverview {
        if let known = overviews.withLock({ $0.known(at: .current()) }) { return known }
        return try await result(on: loop) { [self] end throws(UsageFailure) in
            // Another query may have computed the overview meanwhile.
            if let known = overviews.withLock({ $0.known(at: .current()) }) { return known }
            var memory = overviews.withLock { $0 }
            let overview = try memory.renewed(from: source, zone, until: end)
            overviews.withLock { $0 = memory }
            return overview
        }
    }

    private func result<Value: Sendable>(
        on loop: EventLoop,
        of query: @escaping @Sendable (LoopTime) throws(UsageFailure) -> Value
    ) async throws(UsageFailure) -> Value {
        let result = await worker.result(on: loop, withinNanoseconds: Self.resultNanoseconds) {
            let end = LoopTime.current().adding(milliseconds: Self.queryMilliseconds)
            return Result { () throws(UsageFailure) in try query(end) }
        }
        guard let result else { throw UsageFailure("too many queries are waiting for the usage records") }
        return try result.get()
    }
}

/// The usage overview that was computed last. The next overview copies its older minutes.
private struct OverviewMemory: Sendable {
    private static let minutes = 60
    private static let minuteMilliseconds = 60_000
    /// The number of newest minutes that are always read again, since their records can be written late.
    private static let openMinutes = 3
    private static let freshMilliseconds = 1_000

    private var overview = UsageOverview()
    private var madeAt = LoopTime.distantPast

    func known(at now: LoopTime) -> UsageOverview? {
        now.milliseconds(since: madeAt) < Self.freshMilliseconds && !overview.minutes.isEmpty ? overview : nil
    }

    mutating func renewed(
        from source: any RecordSource,
        _ zone: DayZone,
        until end: LoopTime
    ) throws(UsageFailure) -> UsageOverview {
        var next = UsageOverview()
        let last = Timestamp.now() / Self.minuteMilliseconds * Self.minuteMilliseconds
        let first = last - (Self.minutes - 1) * Self.minuteMilliseconds
        // The minutes that were already complete when the earlier overview read them.
        let firstOpen = (overview.minutes.last?.startMilliseconds ?? first) - Self.openMinutes * Self.minuteMilliseconds
        var kept =
            overview.isPartial
            ? [] : overview.minutes.filter { first <= $0.startMilliseconds && $0.startMilliseconds <= firstOpen }
        if kept.first?.startMilliseconds != first { kept = [] }
        let start = kept.last.map { $0.startMilliseconds + Self.minuteMilliseconds } ?? first
        let counts = try source.minutes(since: start, until: end)
        next.isPartial = counts == nil
        let open = stride(from: start, through: last, by: Self.minuteMilliseconds).map { minute in
            let own = counts?[minute / Self.minuteMilliseconds] ?? UsageOverview.Counts()
            return UsageOverview.Minute(startMilliseconds: minute, counts: own)
        }
        next.minutes = kept + open
        let today = zone.today
        let yesterday = today.adding(days: -1)
        let table = try source.table(UsageQuery(by: [.day], from: yesterday, to: today), until: end)
        for row in table.rows {
            if row.values == [today.text] { next.today = row.figures }
            if row.values == [yesterday.text] { next.yesterday = row.figures }
        }
        next.isPartial = next.isPartial || table.isPartial
        (overview, madeAt) = (next, .current())
        return next
    }
}

/// The sums and durations of the newest requests that match a filter.
package struct RecordFigures: Sendable {
    package private(set) var sums = UsageFigures()
    /// The duration within which half of the requests ended, in milliseconds; nil if there are no requests.
    package let p50Milliseconds: Int?
    /// The duration within which 95 % of the requests ended, in milliseconds; nil if there are no requests.
    package let p95Milliseconds: Int?
    /// The time from the end of the oldest request to the end of the newest one, in milliseconds.
    package let spanMilliseconds: Int
    /// Whether older requests match the filter, too.
    package let isCut: Bool
    /// Whether the search's time limit passed before all records were searched.
    package let isPartial: Bool

    init(_ page: RecordPage) {
        let requests = page.records.map(\.request)
        let durations = requests.map(\.durationMilliseconds).sorted()
        p50Milliseconds = durations.percentile(50)
        p95Milliseconds = durations.percentile(95)
        let times = requests.map(\.timeMilliseconds)
        spanMilliseconds = (times.max() ?? 0) - (times.min() ?? 0)
        isCut = page.total > requests.count || page.isTotalBound
        isPartial = page.isPartial
        for request in requests { sums.add(request) }
    }
}

extension [Int] {
    /// Returns the smallest element that is not below `percent` percent of the elements; nil if the array is empty.
    ///
    /// The array must be sorted.
    fileprivate func percentile(_ percent: Int) -> Int? { isEmpty ? nil : self[(count * percent + 99) / 100 - 1] }
}

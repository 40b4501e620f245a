import Engine
import Shared

/// The usage records of the last requests, and the daily sums of usage since this store was created, in memory.
///
/// The thread of a `UsageQueue` writes the records, and the thread of a `RecordReader` reads them.
final class MemoryRecords: EditableUsageStore, RecordSource {
    /// A finished request in memory. `bytes` is its size in memory without the bodies.
    fileprivate struct KeptRequest {
        let id: Int
        let request: FinishedRequest
        let bytes: Int

        var record: UsageRecord { request.record }
    }

    fileprivate struct State {
        /// The stored requests, oldest first. The elements before the index `first` were removed and are freed later.
        var kept: [KeptRequest] = []
        var first = 0
        /// The index in `kept` of the first request that may still have bodies.
        var firstWithBodies = 0
        var bytes = 0
        var lastID = 0
        /// The latest end of a removed request, in milliseconds since 1970; `.min` if none was removed.
        var lastRemoved = Int.min
        /// The time of the last request that the sums lack; `.min` if they lack none.
        var lastLost = Int.min
        var sums: UsageSums
        var reservation: MemoryReservation?
        var bound: Int

        var count: Int { kept.count - first }
        var heldBytes: Int { bytes + sums.rowCount * MemoryRecords.sumBytes }
    }

    /// The largest number of rows of sums by day, and by hour. If there are more rows, the oldest are removed.
    private static let maxSums = 10_000
    /// The estimated memory of one row of sums, in bytes.
    fileprivate static let sumBytes = 1_024
    fileprivate static let recordBytes = MemoryLayout<UsageRecord>.stride
    /// The memory of a stored request in addition to its usage records, in bytes.
    private static let keptBytes = 64
    /// The estimated memory of the object from which a call's bill follows, in bytes.
    fileprivate static let billBytes = 352

    private let state: Lock<State>
    private let budget: MemoryBudget
    private let bodies: BodyBudget

    /// Creates an empty store, which keeps the records of at most `bound` requests.
    init(bound: Int, _ zone: DayZone, _ budget: MemoryBudget, bodies: BodyBudget) {
        state = Lock(State(sums: UsageSums(zone), bound: bound))
        self.budget = budget
        self.bodies = bodies
    }

    var zone: DayZone { state.withLock { $0.sums.zone } }

    /// Sets the largest number of stored requests and the time zone of the daily sums. If the zone changes, the sums
    /// are computed again from the stored records.
    func use(bound: Int, _ zone: DayZone) {
        state.withLock { state in
            state.bound = bound
            guard state.sums.zone.name != zone.name else { return }
            state.sums = UsageSums(zone)
            state.lastLost = state.lastRemoved
            for kept in state.kept[state.first...] { state.sums.add(kept.request) }
        }
    }

    func reopen() {}

    func write(_ requests: ArraySlice<FinishedRequest>) -> Int {
        state.withLock { state in
            for request in requests { append(request, to: &state) }
            while state.count > state.bound || !budget.covers(state.heldBytes, &state.reservation) {
                guard state.removeOldest() else { break }
            }
            while bodies.isNearlyFull, state.removeOldestBodies() {}
            state.compact()
            state.sums.removeOldest(above: Self.maxSums)
        }
        return requests.count
    }

    private func append(_ request: FinishedRequest, to state: inout State) {
        state.sums.add(request)
        state.lastID = UsageSchema.sqliteID(request.record, after: state.lastID)
        let bytes = request.calls.reduce(Self.keptBytes + request.record.bytes) { $0 + $1.bytes }
        state.kept.append(KeptRequest(id: state.lastID, request: request, bytes: bytes))
        state.bytes += bytes
    }

    func delete(_ ids: [RecordID]) -> Int {
        let numbers = Set(ids.compactMap { if case .number(let number) = $0 { number } else { nil } })
        return state.withLock { state in
            let gone = state.kept[state.first...].filter { numbers.contains($0.id) }
            guard !gone.isEmpty else { return 0 }
            for kept in gone {
                state.sums.add(kept.request, -1)
                state.bytes -= kept.bytes
            }
            state.kept = state.kept[state.first...].filter { !numbers.contains($0.id) }
            (state.first, state.firstWithBodies) = (0, 0)
            return gone.count
        }
    }

    // MARK: Reading

    func page(_ query: RecordQuery, until end: LoopTime) -> RecordPage {
        let keywords = query.filter.keywords.map { KeywordSearch($0) }
        let column = query.order.column
        return state.withLock { state in
            var collector = PageCollector<Int>(query, until: end)
            var lastID: RecordID?
            var isCut = false
            for step in 0..<state.count {
                let slot = query.readsNewestFirst ? state.kept.count - 1 - step : state.first + step
                let kept = state.kept[slot]
                lastID = .number(kept.id)
                if step % 1_024 == 1_023, case let now = LoopTime.current() {
                    isCut = now > end
                    if isCut || collector.stops(at: now) { break }
                }
                guard query.filter.includes(kept.id), query.filter.matches(kept.record, keywords) else { continue }
                collector.add(slot, .init(kept.record, column))
                if collector.isComplete { break }
            }
            var page = collector.page()
            page.isPartial = isCut
            page.records = collector.ids().map { Self.stored(state.kept[$0]).record }
            if isCut || collector.isStopped { page.goOn(after: lastID, query) }
            return page
        }
    }

    func request(_ id: RecordID, until end: LoopTime) -> StoredRequest? {
        guard case .number(let number) = id else { return nil }
        return state.withLock { state in
            var (low, high) = (state.first, state.kept.count)
            while low < high {
                let middle = (low + high) / 2
                if state.kept[middle].id < number { low = middle + 1 } else { high = middle }
            }
            guard low < state.kept.count, state.kept[low].id == number else { return nil }
            return Self.stored(state.kept[low])
        }
    }

    private static func stored(_ kept: KeptRequest) -> StoredRequest {
        var request = StoredRequest(.number(kept.id), kept.record, calls: kept.request.calls)
        request.requestBody = kept.request.bodies?.request
        request.responseBody = kept.request.bodies?.response
        return request
    }

    func table(_ query: UsageQuery, until end: LoopTime) -> UsageTable {
        let rows = state.withLock { $0.sums.days.rows }
        return UsageTable(query, rows)
    }

    func timeline(
        _ plan: TimelinePlan,
        until end: LoopTime
    ) -> (rows: [(key: SumKey, sum: UsageSum)], isPartial: Bool) {
        state.withLock { state in
            var sums = plan.emptyTable
            for range in plan.read {
                for kept in state.kept[state.first...] {
                    for record in [kept.record] + kept.request.calls where plan.query.filter.matches(record, nil) {
                        plan.add(record, to: &sums, in: range)
                    }
                }
            }
            var rows = sums.rows
            plan.add(plan.table.hasTimes ? state.sums.hours.rows : state.sums.days.rows, to: &rows)
            // The sums outlive their records, but not a change of the time zone.
            let isPartial = plan.read.contains { !$0.isEmpty && $0.lowerBound <= state.lastRemoved }
            return (rows, isPartial || plan.query.range.lowerBound <= state.lastLost)
        }
    }

    func minutes(since start: Int, until end: LoopTime) -> MinuteCounts? {
        var found: MinuteCounts = [:]
        state.withLock { state in
            for kept in state.kept[state.first...].reversed() {
                // The times are in the order of the ids, except after changes of the clock.
                if kept.id < UsageSchema.firstSQLiteID(at: start) { break }
                guard kept.record.timeMilliseconds >= start else { continue }
                let counts = UsageOverview.Counts(
                    requests: 1,
                    errors: kept.record.isSuccess ? 0 : 1,
                    failures: kept.record.isFailure ? 1 : 0,
                    refusals: kept.record.isRefusal ? 1 : 0,
                    budgets: kept.record.isOfBudget ? 1 : 0
                )
                found[kept.record.timeMilliseconds / 60_000, default: UsageOverview.Counts()] += counts
            }
        }
        return found
    }
}

extension MemoryRecords.State {
    /// Removes the oldest request's records. The daily sums still include them. Returns false if there are no records.
    fileprivate mutating func removeOldest() -> Bool {
        guard count > 0 else { return false }
        bytes -= kept[first].bytes
        lastRemoved = max(lastRemoved, kept[first].record.timeMilliseconds)
        first += 1
        return true
    }

    /// Removes the bodies of the oldest request that may still have bodies. Returns false if there is none.
    fileprivate mutating func removeOldestBodies() -> Bool {
        firstWithBodies = max(firstWithBodies, first)
        guard firstWithBodies < kept.count else { return false }
        kept[firstWithBodies].request.bodies?.removeAll()
        firstWithBodies += 1
        return true
    }

    /// Frees the memory of removed records once there are many of them.
    fileprivate mutating func compact() {
        guard first > 1_000, first > kept.count / 4 else { return }
        kept.removeFirst(first)
        firstWithBodies = max(0, firstWithBodies - first)
        first = 0
    }
}

extension UsageSums {
    fileprivate mutating func add(_ request: FinishedRequest, _ sign: Int = 1) {
        add(request.record, sign)
        for call in request.calls { add(call, sign) }
    }
}

extension UsageRecord {
    /// The memory of the record in bytes, including texts that are stored outside the record.
    fileprivate var bytes: Int { MemoryRecords.recordBytes + (bill == nil ? 0 : MemoryRecords.billBytes) + textBytes }
}

/// The buckets that have left a record, for as long as units of them may have been used less than a window ago.
///
/// Units are used after their bucket where answers are late, and another write then moves them out of it. Other instances
/// may be quicker with theirs until the bucket has left the record. Then the record no longer shows that these units were
/// used later than they were counted, so an instance that saw the bucket counts it for longer.
struct LeftBuckets {
    private let grid: Grid
    private var buckets: [(number: Int, units: Int)] = []
    /// When the record was seen last (wall).
    private var seenAt: Int?
    /// Until then (wall) it is not known what has left the record.
    private var unknownUntil = 0

    init(_ grid: Grid) { self.grid = grid }

    /// Notes what a record drops when buckets before `oldest` leave it.
    mutating func note(_ record: borrowing Record, until oldest: Int) {
        guard oldest > record.oldest, record.total > 0 else { return }
        let first = max(0, record.oldest)
        for number in first..<max(first, min(oldest, record.newest + 1)) {
            let units = record.count(in: number)
            if units > 0 { buckets.append((number, units)) }
        }
    }

    /// The record was read. `lateness`: how long after their bucket units may be used.
    mutating func sees(isFound: Bool, lateness: Int, at time: Int) {
        let isFirst = seenAt.map { time - $0 >= grid.windowMicroseconds } ?? true
        if isFirst, isFound { unknownUntil = time + max(0, lateness - grid.windowMicroseconds / grid.perWindow) }
        seenAt = time
    }

    /// Returns, once, the time for which it is not known what has left the record (microseconds).
    mutating func takeUnknown(at time: Int) -> Int {
        let rest = unknownUntil - time
        unknownUntil = 0
        return rest > 0 && rest <= grid.graceMicroseconds ? rest : 0
    }

    mutating func units(lateness: Int, at time: Int) -> Int {
        if buckets.isEmpty { return 0 }
        buckets = buckets.filter { freeTime($0.number, lateness) > time }
        return buckets.reduce(0) { min($0 + $1.units, Record.countBound) }
    }

    /// Returns the time until fewer are counted (microseconds).
    func wait(lateness: Int, at time: Int) -> Int {
        buckets.map { max(1, freeTime($0.number, lateness) - time) }.min() ?? 0
    }

    private func freeTime(_ number: Int, _ lateness: Int) -> Int {
        grid.end(of: number) + grid.windowMicroseconds + lateness
    }
}

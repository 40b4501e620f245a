/// The buckets that have left a record, kept for as long as their units may have been used less than a window ago.
///
/// If calls are slow, units may be used after their bucket, and another write then moves them out of it. Other
/// instances may write first until the bucket has left the record. The record then no longer shows that these units
/// were used later than they were counted. So an instance that saw the bucket counts it for longer.
struct ExpiredBuckets {
    private let layout: BucketLayout
    private var buckets: [(number: Int, units: Int)] = []
    /// The wall-clock time at which the record was last seen.
    private var seenAt: Int?
    /// The wall-clock time until which it is unknown which buckets have left the record.
    private var unknownUntil = 0

    init(_ layout: BucketLayout) { self.layout = layout }

    /// Remembers the buckets before `oldest`, which the record is about to drop.
    mutating func record(_ record: borrowing Record, until oldest: Int) {
        guard oldest > record.oldest, record.total > 0 else { return }
        let first = max(0, record.oldest)
        for number in first..<max(first, min(oldest, record.newest + 1)) {
            let units = record.count(in: number)
            if units > 0 { buckets.append((number, units)) }
        }
    }

    /// Records that the record was read.
    ///
    /// - Parameter lateness: how long after their bucket units may be used, in microseconds.
    mutating func sees(isFound: Bool, lateness: Int, at time: Int) {
        let isFirst = seenAt.map { time - $0 >= layout.windowMicroseconds } ?? true
        if isFirst, isFound { unknownUntil = time + max(0, lateness - layout.windowMicroseconds / layout.perWindow) }
        seenAt = time
    }

    /// Returns the time in microseconds for which it is unknown which buckets have left the record. Returns it only
    /// once.
    mutating func countUnknown(at time: Int) -> Int {
        let rest = unknownUntil - time
        unknownUntil = 0
        return rest > 0 && rest <= layout.graceMicroseconds ? rest : 0
    }

    mutating func units(lateness: Int, at time: Int) -> Int {
        if buckets.isEmpty { return 0 }
        buckets = buckets.filter { freeTime($0.number, lateness) > time }
        return buckets.reduce(0) { min($0 + $1.units, Record.countBound) }
    }

    /// Returns the microseconds until fewer units are counted here.
    func wait(lateness: Int, at time: Int) -> Int {
        buckets.map { max(1, freeTime($0.number, lateness) - time) }.min() ?? 0
    }

    private func freeTime(_ number: Int, _ lateness: Int) -> Int {
        layout.end(of: number) + layout.windowMicroseconds + lateness
    }
}

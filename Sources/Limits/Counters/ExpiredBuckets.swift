/// The buckets that have left a record but still count in this instance, because their units may have been used less
/// than a window ago.
///
/// If calls to the store are slow, an instance may use units after the end of their bucket. Its next write moves these
/// units to a newer bucket. Before this write, other instances may write, and the old bucket may leave the record. The
/// record then does not show the late use. Therefore, an instance that saw the bucket counts it for longer.
struct ExpiredBuckets {
    private let layout: BucketLayout
    private var buckets: [(number: Int, units: Int)] = []
    /// The wall-clock time at which the record was last read; nil if it was never read.
    private var seenAt: Int?
    /// The wall-clock time until which buckets may still count that left the record before this instance first read it,
    /// or while this instance did not read it for a window. This instance does not know the units of these buckets.
    private var unknownUntil = 0

    init(_ layout: BucketLayout) { self.layout = layout }

    /// Remembers the buckets with a number below `oldest`. The record is about to drop these buckets.
    mutating func record(_ record: borrowing Record, until oldest: Int) {
        guard oldest > record.oldest, record.total > 0 else { return }
        let first = max(0, record.oldest)
        for number in first..<max(first, min(oldest, record.newest + 1)) {
            let units = record.count(in: number)
            if units > 0 { buckets.append((number, units)) }
        }
    }

    /// Handles a read of the record.
    ///
    /// - Parameters:
    ///   - isFound: whether the store has the record.
    ///   - lateness: the time after a bucket in which its units may still be used, in microseconds.
    mutating func sees(isFound: Bool, lateness: Int, at time: Int) {
        let isFirst = seenAt.map { time - $0 >= layout.windowMicroseconds } ?? true
        if isFirst, isFound { unknownUntil = time + max(0, lateness - layout.windowMicroseconds / layout.perWindow) }
        seenAt = time
    }

    /// Returns the microseconds for which buckets may still count that left the record without being seen by this
    /// instance. Returns this time only once, and then 0.
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

    /// Returns the microseconds until the first of the remembered buckets no longer counts; 0 if no bucket is
    /// remembered.
    func wait(lateness: Int, at time: Int) -> Int {
        buckets.map { max(1, freeTime($0.number, lateness) - time) }.min() ?? 0
    }

    private func freeTime(_ number: Int, _ lateness: Int) -> Int {
        layout.end(of: number) + layout.windowMicroseconds + lateness
    }
}

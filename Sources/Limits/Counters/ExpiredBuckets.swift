/// The buckets of a limit that the record has dropped but that this instance still counts. The reason: with slow store
/// calls, an instance can use units after the end of their bucket.
struct ExpiredBuckets {
    private let layout: BucketLayout
    private var buckets: [(number: Int, units: Int)] = []
    /// The wall-clock time at which the record was last read; nil if it was never read.
    private var seenAt: Int?
    /// The wall-clock time until which unseen buckets might still count; 0 if there are none. Unseen buckets are those
    /// that the record dropped before this instance read it.
    private var unknownUntil = 0

    init(_ layout: BucketLayout) { self.layout = layout }

    /// Remembers the units in the record's buckets that are older than bucket `oldest`. Call this function before the
    /// record drops these buckets.
    mutating func record(_ record: borrowing Record, until oldest: Int) {
        guard oldest > record.oldest, !record.isEmpty else { return }
        let first = max(0, record.oldest)
        let last = record.future.last?.number ?? record.newest
        for number in first..<max(first, min(oldest, last + 1)) {
            let units = record.count(in: number)
            if units > 0 { buckets.append((number, units)) }
        }
    }

    /// Records that this instance read the limit's record from the store.
    /// - Parameter lateness: how long units can be used after their bucket's end, in microseconds.
    mutating func sees(isFound: Bool, lateness: Int, at time: Int) {
        let isFirst = seenAt.map { time - $0 >= layout.windowMicroseconds } ?? true
        if isFirst, isFound { unknownUntil = time + max(0, lateness - layout.windowMicroseconds / layout.perWindow) }
        seenAt = time
    }

    /// Returns for how many microseconds buckets that this instance has never seen might still count; 0 if there are
    /// none. Forgets these buckets, so that a repeated call returns 0.
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

    /// Returns the microseconds until another bucket stops counting; 0 if no bucket is in the way.
    /// - Parameter wait: the microseconds until the record has room; 0 if only remembered buckets are in the way.
    func wait(after wait: Int, lateness: Int, at time: Int) -> Int {
        // A bucket that the record drops still counts for a while.
        if wait > 0 { return wait + max(0, freeTime(0, lateness) - layout.start(of: layout.kept)) }
        return buckets.map { max(1, freeTime($0.number, lateness) - time) }.min() ?? 0
    }

    private func freeTime(_ number: Int, _ lateness: Int) -> Int {
        layout.end(of: number) + layout.windowMicroseconds + lateness
    }
}

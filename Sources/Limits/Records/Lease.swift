/// Units that an instance has counted in the store ahead of their use. It admits requests with them without another
/// call.
struct Lease {
    let position: BucketIndex
    /// The units counted in the store for this lease.
    let units: Int
    var left: Int
    /// The wall-clock time at which the lease ends: the end of its bucket, or a second after it was opened if that is
    /// sooner. Where calls are slow, units may also be used for a while after the bucket; they then move to the current
    /// bucket.
    let end: Int
    /// The wall-clock time by which unspent units are given back, if no write did so before.
    let returnsBy: Int

    /// The number of units in a bucket from which a record counts as busy.
    static let busyUnits = 8
    /// The smallest lease. Fewer units are not worth withholding from other instances.
    static let minUnits = 8
    /// The smallest lease where several instances compete for the record and calls are slow.
    static let minContendedUnits = 4
    static let longestMicroseconds = 1_000_000

    func isOpen(at time: Int) -> Bool { time < end }
}

/// The conditions under which a write may open a lease.
struct LeaseConditions {
    /// Whether other instances write the same record and calls to the store are slow.
    let isContended: Bool
    /// Whether calls to the store are slow.
    let isSlow: Bool
    /// The number of living instances.
    let instances: Int
}

/// This instance's rate of use of one record: the units in each span of a bucket, or of a second if that is shorter.
struct Pace {
    private let spanMicroseconds: Int
    private var span = 0
    private var units = 0
    private var lastUnits = 0

    init(_ layout: BucketLayout) {
        spanMicroseconds = max(1, min(layout.windowMicroseconds / layout.perWindow, Lease.longestMicroseconds))
    }

    init(spanMicroseconds: Int) { self.spanMicroseconds = spanMicroseconds }

    mutating func record(_ more: Int, at time: Int) {
        move(to: time)
        units += more
    }

    /// Returns the units used in the last span, or in the current one if that is already more.
    mutating func units(at time: Int) -> Int {
        move(to: time)
        return max(units, lastUnits)
    }

    private mutating func move(to time: Int) {
        let now = max(0, time) / spanMicroseconds
        guard now != span else { return }
        lastUnits = now == span + 1 ? units : 0
        units = 0
        span = now
    }
}

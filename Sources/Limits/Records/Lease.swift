/// Units that an instance has counted in the store ahead of their use. The instance admits requests with these units
/// without another call to the store.
struct Lease {
    let position: BucketIndex
    /// The number of units that were counted in the store for this lease.
    let units: Int
    var left: Int
    /// The wall-clock time at which the lease ends: the end of its bucket, or a second after it was opened if that is
    /// sooner. If calls to the store are slow, the lease may last a little longer than its bucket. Its units then move
    /// to the current bucket.
    let end: Int
    /// The wall-clock time by which the instance gives unspent units back, if no write has done so before.
    let returnsBy: Int

    /// The number of units that an instance must use in one bucket, or in one second if a bucket is longer, before it
    /// opens a lease. An instance may use fewer units and still open a lease if several instances write the record and
    /// calls to the store are slow.
    static let busyUnits = 8
    /// The minimum number of units in a lease. Fewer units are not worth withholding from other instances.
    static let minUnits = 8
    /// The minimum number of units in a lease if several instances write the same record and calls to the store are
    /// slow.
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

/// This instance's rate of use of one record. It counts the units used in each bucket, or in each second if a bucket is
/// longer.
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

    /// Returns the units used in the last time span, or in the current span if that is already more. A span is a bucket
    /// or a second.
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

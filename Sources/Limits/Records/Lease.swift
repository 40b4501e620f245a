/// Units that an instance has counted in the store ahead of their use.
struct Lease {
    let bucket: BucketIndex
    /// The number of units that were counted in the store for this lease.
    let units: Int
    var left: Int
    /// The wall-clock time at which the lease ends, at most a second after it was opened.
    let end: Int
    /// The latest wall-clock time at which the instance returns the unspent units to the store.
    let returnsBy: Int

    /// The units that an instance must use before it opens a lease: in one bucket, or in one second if buckets are
    /// longer. There is no such minimum if several instances write the record while store calls are slow.
    static let busyUnits = 8
    /// The minimum number of units in a lease. Fewer units are not worth withholding from other instances.
    static let minUnits = 8
    /// The minimum number of units in a lease if several instances write the record while store calls are slow.
    static let minContendedUnits = 4
    static let longestMicroseconds = 1_000_000

    func isOpen(at time: Int) -> Bool { time < end }
}

/// The facts that decide whether a write opens a lease.
struct LeaseConditions {
    /// Whether other instances write the same record and calls to the store are slow.
    let isContended: Bool
    /// Whether calls to the store are slow.
    let isSlow: Bool
    /// The number of living instances.
    let instances: Int
}

/// The pace at which this instance uses a limit: the units of the current and of the previous time span. All time spans
/// are equally long.
struct Pace {
    private let spanMicroseconds: Int
    private var span = 0
    private var units = 0
    private var lastUnits = 0

    /// Creates a pace whose time span is as long as a bucket, but at most a second.
    init(_ layout: BucketLayout) {
        spanMicroseconds = max(1, min(layout.windowMicroseconds / layout.perWindow, Lease.longestMicroseconds))
    }

    init(spanMicroseconds: Int) { self.spanMicroseconds = spanMicroseconds }

    mutating func record(_ more: Int, at time: Int) {
        move(to: time)
        units += more
    }

    /// Returns the units used in the current time span or those used in the previous one, whichever are more.
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

/// Units that an instance has counted in the store ahead of their use, to admit requests without asking it.
struct Lease {
    let place: Place
    /// Counted for it.
    let units: Int
    var left: Int
    /// The end of its bucket, or a second after it was asked for (wall). Where answers are late, units may be used a
    /// while longer that are then moved to the present bucket.
    let end: Int
    /// The rest is given back by then (wall), if no write before did it.
    let returnsBy: Int

    /// A record with this number of units in a bucket is busy.
    static let busyUnits = 8
    /// Fewer are not worth holding back from others.
    static let leastUnits = 8
    /// The same where each write is a race.
    static let leastContendedUnits = 4
    static let longestMicroseconds = 1_000_000

    func isOpen(at time: Int) -> Bool { time < end }
}

/// The circumstances of a write that may count units ahead of their use.
struct LeaseTerms {
    /// Others write the same record, and answers are late.
    let isContended: Bool
    /// Answers are late.
    let isSlow: Bool
    /// The number of those that are alive.
    let instances: Int
}

/// The use that an instance makes of one record: in buckets, of a second at most.
struct Pace {
    private let spanMicroseconds: Int
    private var span = 0
    private var units = 0
    private var lastUnits = 0

    init(_ grid: Grid) {
        spanMicroseconds = max(1, min(grid.windowMicroseconds / grid.perWindow, Lease.longestMicroseconds))
    }

    init(spanMicroseconds: Int) { self.spanMicroseconds = spanMicroseconds }

    mutating func note(_ more: Int, at time: Int) {
        move(to: time)
        units += more
    }

    /// In the last span, or in this one if that is more already.
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

/// The units admitted under one limit to one caller, in each of the last buckets. Pure: a value and a time go in,
/// a value comes out. All instances read and write the same record, so its time never runs back: a slower instance
/// works at the record's.
///
/// A unit is counted in the newest bucket, and used only before the clock of its instance passes that bucket's end. So
/// two units less than a window apart, on clocks at most a bucket apart, are at most `grid.perWindow + 1` buckets apart,
/// and both are in the record when the second one is admitted.
package struct Record: Sendable, Equatable {
    package let grid: Grid
    /// The number of the newest bucket.
    package private(set) var newest: Int
    /// All units in the record.
    package private(set) var total = 0
    /// Drawn by whoever adds the record to the store: another number than last time says that it was lost.
    package var birth: UInt64
    /// Units counted ahead of their use by open leases, and when the last of these ends; of the newest bucket only.
    package internal(set) var lease = Lease()
    /// Bucket k is at k modulo the number kept.
    private var counts: [Int]

    package struct Lease: Sendable, Equatable {
        package var units = 0
        /// Milliseconds after the bucket's start.
        package var endMilliseconds = 0
    }

    /// A bucket's count never passes this, so that no sum overflows.
    static let countBound = 1 << 55

    package init(_ grid: Grid, at time: Int, birth: UInt64 = 0) {
        self.init(grid, newest: grid.bucket(at: time), birth: birth)
    }

    init(_ grid: Grid, newest: Int, birth: UInt64) {
        self.grid = grid
        self.newest = newest
        self.birth = birth
        counts = [Int](repeating: 0, count: grid.kept)
    }

    package var oldest: Int { newest - grid.kept + 1 }

    package func count(in bucket: Int) -> Int {
        bucket < oldest || bucket > newest || bucket < 0 ? 0 : counts[bucket % counts.count]
    }

    /// The counts of the buckets that have any, the newest first, each with the number of empty ones before it; then
    /// those after the last.
    func forEachRun(_ body: (_ empty: Int, _ count: Int) -> Void) -> Int {
        var place = newest % counts.count
        if place < 0 { place += counts.count }
        var (empty, rest) = (0, counts.count)
        var left = total
        counts.withUnsafeBufferPointer { counts in
            while left > 0, rest > 0 {
                let count = counts[place]
                place = place == 0 ? counts.count - 1 : place - 1
                rest -= 1
                if count == 0 {
                    empty += 1
                } else {
                    body(empty, count)
                    empty = 0
                    left -= count
                }
            }
        }
        return empty + rest
    }

    // MARK: What changes it

    /// Moves on to the present bucket, dropping what is too old to matter.
    package mutating func roll(to time: Int) { roll(toBucket: grid.bucket(at: time)) }

    private mutating func roll(toBucket bucket: Int) {
        guard bucket > newest else { return }
        lease = Lease()
        if bucket - newest >= counts.count || total == 0 {
            if total != 0 { for index in counts.indices { counts[index] = 0 } }
            total = 0
        } else {
            for next in newest + 1...bucket {
                let place = next % counts.count
                total -= counts[place]
                counts[place] = 0
            }
        }
        newest = bucket
    }

    /// Counts the units in the newest bucket if they fit.
    package mutating func admit(_ units: Int, of bound: Int) -> Bool {
        guard hasRoom(for: units, of: bound) else { return false }
        charge(units)
        return true
    }

    /// Counts what is already admitted, whether it fits or not.
    package mutating func charge(_ units: Int) { change(newest, to: count(in: newest) + min(units, Self.countBound)) }

    /// Takes units out of the bucket they were counted in; none if it has left the record.
    package mutating func giveBack(_ units: Int, in bucket: Int) {
        change(bucket, to: count(in: bucket) - min(units, Self.countBound))
    }

    /// Notes a lease of units that are already counted. Those that have ended by now are forgotten.
    package mutating func addLease(_ units: Int, until end: Int, at time: Int) {
        if leased(at: time) == 0 { lease = Lease() }
        lease.units = min(lease.units + units, Self.countBound)
        lease.endMilliseconds = max(lease.endMilliseconds, max(0, end - grid.start(of: newest) + 999) / 1_000)
    }

    /// Counts in the present buckets what is counted ahead of them, the newest in the present one.
    package mutating func moveBack(to time: Int) {
        let present = grid.bucket(at: time)
        guard newest > present else { return }
        var moved = Record(grid, newest: present, birth: birth)
        for age in 0..<min(grid.kept, present + 1) { moved.change(present - age, to: count(in: newest - age)) }
        self = moved
    }

    /// Sets all counts to 0 under the same birth number, so that no instance takes the record for a lost one.
    ///
    /// The record moves on by a bucket: units that were counted before are given back in older buckets, and take nothing
    /// from what is counted from now on.
    package mutating func empty(at time: Int) {
        let present = grid.bucket(at: time)
        let next = max(newest, min(max(newest, present) + 1, present + Self.bucketsAhead))
        self = Record(grid, newest: next, birth: birth)
    }

    /// The most buckets that resets move a record ahead of the clock.
    private static let bucketsAhead = 2

    /// Forgets a lease that has ended early.
    package mutating func endLease(_ units: Int, in bucket: Int) {
        if bucket == newest { lease.units = max(0, lease.units - units) }
    }

    mutating func change(_ bucket: Int, to count: Int) {
        guard bucket >= oldest, bucket <= newest, bucket >= 0 else { return }
        let place = bucket % counts.count
        let bounded = min(max(0, count), Self.countBound)
        total += bounded - counts[place]
        counts[place] = bounded
    }

    /// Joins what another copy of the record knows: of each bucket the larger count. Keeps its own birth number.
    package mutating func join(_ other: Record) {
        roll(toBucket: other.newest)
        for bucket in max(0, oldest)...newest where other.count(in: bucket) > count(in: bucket) {
            change(bucket, to: other.count(in: bucket))
        }
        guard other.newest == newest else { return }
        lease.units = max(lease.units, other.lease.units)
        lease.endMilliseconds = max(lease.endMilliseconds, other.lease.endMilliseconds)
    }

    /// Adds units that the record does not know of, each in its bucket.
    package mutating func add(_ other: Record) {
        roll(toBucket: other.newest)
        for bucket in max(0, oldest)...newest where other.count(in: bucket) > 0 {
            change(bucket, to: count(in: bucket) + other.count(in: bucket))
        }
    }

    // MARK: What it says

    package func hasRoom(for units: Int, of bound: Int) -> Bool { units <= bound - total }

    package func remaining(of bound: Int) -> Int { max(0, bound - total) }

    /// Units of open leases.
    package func leased(at time: Int) -> Int { time < leaseEnd ? lease.units : 0 }

    /// When the last open lease ends.
    package var leaseEnd: Int { grid.start(of: newest) + lease.endMilliseconds * 1_000 }

    /// Microseconds until these units fit if nobody takes room; nil: they never do.
    package func retryAfter(_ units: Int, of bound: Int, at time: Int) -> Int? {
        guard units <= bound else { return nil }
        var excess = units - (bound - total)
        var bucket = max(0, oldest)
        while excess > 0, bucket <= newest {
            excess -= count(in: bucket)
            if excess <= 0 { return max(0, grid.start(of: bucket + grid.kept) - time) }
            bucket += 1
        }
        return 0
    }

    /// Microseconds until all that is counted now has fallen free.
    package func reset(at time: Int) -> Int {
        guard total > 0 else { return 0 }
        var bucket = newest
        while count(in: bucket) == 0 { bucket -= 1 }
        return max(0, grid.start(of: bucket + grid.kept) - time)
    }

    /// By more than a window and five seconds ahead of the clocks, which only a broken record is.
    package func isTooFarAhead(of time: Int) -> Bool {
        newest > grid.bucket(at: time + grid.windowMicroseconds + 5_000_000)
    }
}

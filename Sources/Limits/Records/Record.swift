/// The admitted units of one limit for one caller, by bucket. All instances read and write the same record. Its
/// functions read no clock, but get the time as an argument.
package struct Record: Sendable, Equatable {
    package let layout: BucketLayout
    /// The index of the newest bucket. Bucket 0 begins at time 0.
    package private(set) var newest: Int
    /// The sum of the units in all buckets of the record.
    package private(set) var total = 0
    /// The random id of the record. A new id shows that the store lost the record.
    package var birth: UInt64
    /// The open leases of all instances in the newest bucket: the sum of their units, and the end of the last lease. In a
    /// budget, what running requests hold (`SharedReservations`).
    package internal(set) var lease = Lease()
    /// The copy of the lost record from which this record was restored; nil if the store has lost none within the window.
    package internal(set) var origin: RecordOrigin?
    /// The counts of the buckets. Bucket `k` is at index `k` modulo the number of kept buckets.
    private var counts: [Int]
    /// The units in buckets after the newest one, for requests that wait for their turn, in the order of the buckets.
    var future: [FutureBucket] = []

    package struct Lease: Sendable, Equatable {
        package var units = 0
        /// The end of the last open lease, in milliseconds after the start of the newest bucket.
        package var endMilliseconds = 0
    }

    /// The largest count of a bucket. It is small enough that no sum overflows.
    static let countBound = 1 << 55

    package init(_ layout: BucketLayout, at time: Int, birth: UInt64 = 0) {
        self.init(layout, newest: layout.bucket(at: time), birth: birth)
    }

    init(_ layout: BucketLayout, newest: Int, birth: UInt64) {
        self.layout = layout
        self.newest = newest
        self.birth = birth
        counts = [Int](repeating: 0, count: layout.kept)
    }

    package var oldest: Int { newest - layout.kept + 1 }

    package func count(in bucket: Int) -> Int {
        if bucket > newest { return futureCount(in: bucket) }
        return bucket < oldest || bucket < 0 ? 0 : counts[bucket % counts.count]
    }

    /// Calls `body` for each bucket that has units, from the newest to the oldest.
    /// - Parameter body: receives the number of empty buckets that were skipped just before, and the bucket's units.
    /// - Returns: the number of empty buckets that are older than all buckets with units.
    func forEachRun(_ body: (_ empty: Int, _ count: Int) -> Void) -> Int {
        var index = newest % counts.count
        if index < 0 { index += counts.count }
        var (empty, rest) = (0, counts.count)
        var left = total
        counts.withUnsafeBufferPointer { counts in
            while left > 0, rest > 0 {
                let count = counts[index]
                index = index == 0 ? counts.count - 1 : index - 1
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

    // MARK: Changes

    /// Makes the current bucket the newest one, and drops buckets that are too old to count. Does nothing if the newest
    /// bucket is in the future.
    package mutating func roll(to time: Int) { roll(toBucket: layout.bucket(at: time)) }

    private mutating func roll(toBucket bucket: Int) {
        guard bucket > newest else { return }
        lease = Lease()
        if bucket - newest >= counts.count || total == 0 {
            if total != 0 { for index in counts.indices { counts[index] = 0 } }
            total = 0
        } else {
            for next in newest + 1...bucket {
                let index = next % counts.count
                total -= counts[index]
                counts[index] = 0
            }
        }
        newest = bucket
        if !future.isEmpty { countFuture() }
        if let origin, (origin.record.future.last?.number ?? origin.record.newest) < oldest { self.origin = nil }
    }

    /// Counts the units in the newest bucket if they fit into the limit. Returns whether they fit.
    package mutating func admit(_ units: Int, of bound: Int) -> Bool {
        guard hasRoom(for: units, of: bound) else { return false }
        charge(units)
        return true
    }

    /// Counts units in the newest bucket, even if they exceed the limit, because they are already admitted.
    package mutating func charge(_ units: Int) { change(newest, to: count(in: newest) + min(units, Self.countBound)) }

    /// Removes units from their bucket. Does nothing if the bucket has left the record.
    package mutating func giveBack(_ units: Int, in bucket: Int) {
        change(bucket, to: count(in: bucket) - min(units, Self.countBound))
    }

    /// Removes units from the newest buckets that have any. Removes at most all units, and returns their number.
    @discardableResult
    package mutating func giveBack(_ units: Int) -> Int {
        let given = min(units, total)
        var (rest, bucket) = (given, newest)
        while rest > 0 {
            let part = min(rest, count(in: bucket))
            giveBack(part, in: bucket)
            rest -= part
            bucket -= 1
        }
        return given
    }

    /// Adds a lease to the record. The units of the lease must already be counted.
    package mutating func addLease(_ units: Int, until end: Int, at time: Int) {
        if leased(at: time) == 0 { lease = Lease() }
        lease.units = min(lease.units + units, Self.countBound)
        lease.endMilliseconds = max(lease.endMilliseconds, max(0, end - layout.start(of: newest) + 999) / 1_000)
    }

    /// Sets the units that are leased in all, and the end of the last lease. The units must already be counted.
    mutating func setLease(_ units: Int, until end: Int) {
        lease = Lease()
        addLease(units, until: end, at: end)
    }

    /// Moves all counts back in time if the newest bucket is in the future.
    package mutating func moveBack(to time: Int) {
        let present = layout.bucket(at: time)
        guard newest > present else { return }
        var moved = Record(layout, newest: present, birth: birth)
        for age in 0..<min(layout.kept, present + 1) { moved.change(present - age, to: count(in: newest - age)) }
        for bucket in future { moved.change(bucket.number - newest + present, to: bucket.units) }
        self = moved
    }

    /// Sets all counts to 0, but keeps the record's id (`birth`).
    package mutating func empty(at time: Int) {
        let present = layout.bucket(at: time)
        let next = max(newest, min(max(newest, present) + 1, present + Self.bucketsAhead))
        var emptied = Record(layout, newest: next, birth: birth)
        emptied.origin = origin
        self = emptied
    }

    /// The largest number of buckets by which resets can move the newest bucket beyond the current one.
    private static let bucketsAhead = 2

    /// Removes an ended lease from `lease`, but not from the counts. Does nothing if the bucket is not the newest one.
    package mutating func endLease(_ units: Int, in bucket: Int) {
        if bucket == newest { lease.units = max(0, lease.units - units) }
    }

    mutating func change(_ bucket: Int, to count: Int) {
        guard bucket >= oldest, bucket >= 0 else { return }
        let bounded = min(max(0, count), Self.countBound)
        if bucket > newest { return changeFuture(bucket, to: bounded) }
        let index = bucket % counts.count
        total += bounded - counts[index]
        counts[index] = bounded
    }

    /// Merges another copy of this record: each bucket gets the larger count of the two copies. Keeps this record's
    /// random id (`birth`).
    package mutating func join(_ other: Record) {
        roll(toBucket: other.newest)
        for bucket in max(0, oldest)...newest where other.count(in: bucket) > count(in: bucket) {
            change(bucket, to: other.count(in: bucket))
        }
        for bucket in other.future where bucket.units > count(in: bucket.number) {
            change(bucket.number, to: bucket.units)
        }
        joinLease(other)
    }

    private mutating func joinLease(_ other: Record) {
        guard other.newest == newest else { return }
        lease.units = max(lease.units, other.lease.units)
        lease.endMilliseconds = max(lease.endMilliseconds, other.lease.endMilliseconds)
    }

    /// Puts back a copy of the record that the store has lost before this one. Of two copies of one record, the newer one
    /// takes the place of the older one. What was counted and given back since the loss stays as it is.
    /// - Parameter version: the number of the version of the copy; 0 if it is a mixture of records.
    /// - Returns: whether this record has changed. It does not if it has a newer copy.
    @discardableResult
    mutating func restore(_ copy: Record, version: UInt64) -> Bool {
        let before = origin
        let isSame = before?.record.birth == copy.birth
        guard version > 0, before == nil || isSame else {
            join(copy)
            // A record without an origin would get the counts of other copies in addition.
            if before == nil { origin = RecordOrigin(Record(layout, newest: newest, birth: 0), version: .max) }
            return true
        }
        if let before, before.version >= version { return false }
        roll(toBucket: copy.newest)
        let ahead = copy.future + (before?.record.future ?? [])
        for bucket in Set(ahead.map(\.number)).filter({ $0 > newest }).union(max(0, oldest)...newest) {
            change(bucket, to: count(in: bucket) + copy.count(in: bucket) - (before?.record.count(in: bucket) ?? 0))
        }
        joinLease(copy)
        origin = RecordOrigin(copy, version: version)
        return true
    }

    /// Adds the counts of `other` to this record, each in its bucket.
    package mutating func add(_ other: Record) {
        roll(toBucket: other.newest)
        for bucket in max(0, oldest)...newest where other.count(in: bucket) > 0 {
            change(bucket, to: count(in: bucket) + other.count(in: bucket))
        }
        for bucket in other.future where bucket.number > newest {
            change(bucket.number, to: count(in: bucket.number) + bucket.units)
        }
    }

    // MARK: Queries

    /// Returns whether the units fit into the newest bucket and delay no turn.
    package func hasRoom(for units: Int, of bound: Int) -> Bool { units <= bound - peak }

    package func remaining(of bound: Int) -> Int { max(0, bound - peak) }

    /// Whether no bucket has units.
    var isEmpty: Bool { total == 0 && future.isEmpty }

    /// Returns the units of leases that are open at `time`.
    package func leased(at time: Int) -> Int { time < leaseEnd ? lease.units : 0 }

    /// The wall-clock time at which the last open lease ends, in microseconds.
    package var leaseEnd: Int { layout.start(of: newest) + lease.endMilliseconds * 1_000 }

    /// Returns the microseconds until these units fit if no other units are counted meanwhile; nil if they never fit.
    package func retryAfter(_ units: Int, of bound: Int, at time: Int) -> Int? {
        guard let bucket = turn(units, of: bound) else { return nil }
        return bucket == newest ? 0 : max(0, layout.start(of: bucket) - time)
    }

    /// Returns the microseconds until none of the units in the record count any more.
    package func reset(at time: Int) -> Int {
        if isEmpty { return 0 }
        var bucket = future.last?.number ?? newest
        while count(in: bucket) == 0 { bucket -= 1 }
        return max(0, layout.start(of: bucket + layout.kept) - time)
    }

    /// Returns whether the newest bucket is more than a window and five seconds after `time`.
    package func isTooFarAhead(of time: Int) -> Bool {
        newest > layout.bucket(at: time + layout.windowMicroseconds + 5_000_000)
    }
}

/// The copy of a lost record from which the store's record was restored.
package final class RecordOrigin: Sendable, Equatable {
    let record: Record
    /// The number of the version that the store gave the copy.
    let version: UInt64

    init(_ copy: Record, version: UInt64) {
        var copy = copy
        copy.origin = nil
        record = copy
        self.version = version
    }

    package static func == (one: RecordOrigin, other: RecordOrigin) -> Bool {
        one === other || one.version == other.version && one.record == other.record
    }
}

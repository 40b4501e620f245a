/// The calculation of how many units a new lease of one limit gets.
struct LeaseSizing {
    var limit: Limit
    private var pace: Pace
    /// The rate at which this instance uses units of the limit, in units per second.
    private var longPace = Pace(spanMicroseconds: Lease.longestMicroseconds)
    /// The longest time for which a write can wait after units were moved to the current bucket, in microseconds.
    let deferMicroseconds: Int

    init(_ limit: Limit) {
        self.limit = limit
        pace = Pace(limit.layout)
        deferMicroseconds = min(limit.layout.graceMicroseconds, Lease.longestMicroseconds)
    }

    mutating func record(_ units: Int, at time: Int) {
        pace.record(units, at: time)
        longPace.record(units, at: time)
    }

    /// Returns a new lease; nil if the limit does not count requests, is used too rarely, has too few units left, or
    /// has turns of waiting requests.
    /// - Parameters:
    ///   - record: the record to write, which already contains the units of the admitted requests.
    ///   - bucket: the bucket in which the lease is counted.
    mutating func lease(
        _ record: Record,
        _ bucket: BucketIndex,
        _ conditions: LeaseConditions,
        at time: Int
    ) -> Lease? {
        guard limit.quota.unit == .requests, record.future.isEmpty else { return nil }
        let bound = limit.quota.count
        let most = min((bound - record.total) / 4, bound / 10 - record.leased(at: time))
        let bucketEnd = limit.layout.end(of: bucket.number)
        // Instances that lose every race are never seen.
        let mayBeContended = conditions.isSlow && conditions.instances > 1 && longPace.units(at: time) > 0
        if conditions.isContended || mayBeContended, bound / 10 >= Lease.minUnits {
            return contendedLease(
                bucket,
                min(most, bound / 10 / conditions.instances),
                bucketEnd: bucketEnd,
                at: time
            )
        }
        // The lease has about as many units as were used in the last bucket.
        let used = pace.units(at: time)
        let units = min(used, most)
        let end = min(bucketEnd, time + Lease.longestMicroseconds)
        guard used >= Lease.busyUnits, units >= Lease.minUnits, time < end else { return nil }
        return Lease(bucket: bucket, units: units, left: units, end: end, returnsBy: end)
    }

    /// Returns a lease for a record that several instances compete to write; nil if the lease would have too few units
    /// or would already have ended.
    private mutating func contendedLease(_ bucket: BucketIndex, _ most: Int, bucketEnd: Int, at time: Int) -> Lease? {
        let end = min(bucketEnd + limit.layout.graceMicroseconds, time + Lease.longestMicroseconds)
        let used = longPace.units(at: time) * (end - time) / Lease.longestMicroseconds
        let units = min(max(2 * used, pace.units(at: time), Lease.minUnits), most)
        guard units >= Lease.minContendedUnits, time < end else { return nil }
        return Lease(bucket: bucket, units: units, left: units, end: end, returnsBy: end + deferMicroseconds)
    }
}

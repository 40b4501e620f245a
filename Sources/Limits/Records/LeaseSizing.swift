/// The size of leases of one limit, by the use that this instance makes of the record.
struct LeaseSizing {
    private let limit: Limit
    private var pace: Pace
    /// The same in seconds.
    private var longPace = Pace(spanMicroseconds: Lease.longestMicroseconds)
    /// For so long units that were moved from their bucket may wait for a write.
    let deferMicroseconds: Int

    init(_ limit: Limit) {
        self.limit = limit
        pace = Pace(limit.grid)
        deferMicroseconds = min(limit.grid.graceMicroseconds, Lease.longestMicroseconds)
    }

    /// Units were used.
    mutating func note(_ units: Int, at time: Int) {
        pace.note(units, at: time)
        longPace.note(units, at: time)
    }

    /// Not more units than a quarter of what is left, nor, with all open ones, a tenth of the limit. Nil: a lease would not
    /// be worth it.
    ///
    /// - Parameters:
    ///   - record: with what is admitted by the same write.
    ///   - place: where it is counted.
    mutating func lease(_ record: Record, _ place: Place, _ terms: LeaseTerms, at time: Int) -> Lease? {
        guard limit.quota.unit == .requests else { return nil }
        let bound = limit.quota.count
        let most = min((bound - record.total) / 4, bound / 10 - record.leased(at: time))
        let bucketEnd = limit.grid.end(of: place.number)
        // Others that always lose are never seen.
        let mayBeContended = terms.isSlow && terms.instances > 1 && longPace.units(at: time) > 0
        if terms.isContended || mayBeContended, bound / 10 >= Lease.leastUnits {
            return contendedLease(place, min(most, bound / 10 / terms.instances), bucketEnd, at: time)
        }
        // About as many as were used in the last bucket.
        let used = pace.units(at: time)
        let units = min(used, most)
        let end = min(bucketEnd, time + Lease.longestMicroseconds)
        guard used >= Lease.busyUnits, units >= Lease.leastUnits, time < end else { return nil }
        return Lease(place: place, units: units, left: units, end: end, returnsBy: end)
    }

    /// As long as units may be used after their bucket, and twice as many as are used in that time: the next write may
    /// lose its race. Some even if none were used: at the start all write at once, and one that won stays away for a
    /// while. Other instances do not see it in the next bucket any more, so each takes its part of a tenth.
    private mutating func contendedLease(_ place: Place, _ most: Int, _ bucketEnd: Int, at time: Int) -> Lease? {
        let end = min(bucketEnd + limit.grid.graceMicroseconds, time + Lease.longestMicroseconds)
        let used = longPace.units(at: time) * (end - time) / Lease.longestMicroseconds
        let units = min(max(2 * used, pace.units(at: time), Lease.leastUnits), most)
        guard units >= Lease.leastContendedUnits, time < end else { return nil }
        return Lease(place: place, units: units, left: units, end: end, returnsBy: end + deferMicroseconds)
    }
}

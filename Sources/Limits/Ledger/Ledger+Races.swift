/// Races between instances that write the same record while calls to the store are slow. A compare-and-swap fails if
/// another write happened since the record was read, so each instance often loses. Therefore the call that writes such
/// a contended record also reads it: a loss then costs one round trip, not two.
extension Ledger {
    /// The duration above which calls to the store count as slow, in microseconds. If calls are slow, leases may last
    /// longer than their bucket, so their units may be used after the end of the bucket in which the store counts them.
    private static let slowMicroseconds = 4_000
    /// The time for which other instances that wrote a record are expected to write it again, in microseconds.
    private static let contendedMicroseconds = 2_000_000
    /// The maximum time that requests wait because this instance may have missed the use by other instances, in
    /// microseconds.
    private static let blindMicroseconds = 1_000_000
    /// The time for which a refused caller is expected to request more than its limit, in microseconds.
    private static let fullMicroseconds = 60_000_000

    /// Returns whether several instances write the record while calls to the store are slow.
    ///
    /// - Parameter roundTrip: the usual duration of a call to the store, in microseconds.
    static func isContended(_ account: Account, roundTrip: Int, _ now: ClockReading) -> Bool {
        guard let othersAt = account.othersAt, now.steady - othersAt < contendedMicroseconds else { return false }
        return isSlow(roundTrip)
    }

    static func isSlow(_ roundTrip: Int) -> Bool { roundTrip > slowMicroseconds }

    /// Returns the time after the end of a bucket in which other instances may still use units that were counted in it,
    /// in microseconds. This instance's shortest call is subtracted. Returns 0 if this time does not matter, for
    /// example because a record keeps its buckets for longer anyway.
    ///
    /// The calls of other instances are assumed to take as long as this instance's recent calls. If units of a lease
    /// may be used late, the time is at least the longest time of a lease. In any case, the time is at most the grace
    /// time of the limit's buckets.
    func lateness(_ account: Account) -> Int {
        let (limit, calls) = (account.limit, servers[account.server].calls)
        guard limit.countsExpiredBuckets, instancesSeen > 1 || account.othersAt != nil, limit.quota.unit != .concurrent
        else {
            return 0
        }
        let isLeased = limit.quota.unit == .requests && limit.quota.count / 10 >= Lease.minUnits && calls.wereSlow
        let latest = isLeased ? max(calls.longest, Lease.longestMicroseconds) : calls.longest
        let lateness = min(limit.layout.graceMicroseconds, latest) - calls.shortest
        // A record holds a bucket for this much longer than a window anyway.
        return lateness > limit.layout.windowMicroseconds / limit.layout.perWindow ? lateness : 0
    }

    /// Delays the requests for an account if other instances may have used units after the end of their bucket, before
    /// this instance saw the record. Does nothing if the delay would be longer than requests wait for a response of the
    /// store.
    func delayIfUseUnknown(_ account: Account, _ now: ClockReading) {
        let wait = account.counter.countUnknown(at: now.wall)
        if wait > 0, wait <= min(options.timeoutMicroseconds, Self.blindMicroseconds) {
            account.notBefore = now.steady + wait
        }
    }

    /// Refuses requests of a caller over its limit that have waited for half a time-out, after another instance wrote
    /// the record first. The requests need not wait longer, because the other instances took the room.
    mutating func refuseAfterLostRace(_ account: Account, _ now: ClockReading) {
        guard let fullAt = account.fullAt, account.limit.quota.unit != .concurrent,
            now.steady - fullAt < min(account.limit.layout.windowMicroseconds, Self.fullMicroseconds)
        else { return }
        for part in account.waiting where part.request.decision == nil {
            guard now.steady - part.request.begun > options.timeoutMicroseconds / 2 else { continue }
            metrics.expired += 1
            decide(part.request, refusedForNow(part.request.parts, now))
        }
    }
}

/// The durations of the successful store calls in the last 30 to 60 seconds, in microseconds.
struct RecentCallDurations {
    private struct Span {
        var shortest = Int.max
        var longest = 0
        var wereSlow = false
    }

    private var now = Span()
    private var before = Span()
    private var since = 0
    private static let spanMicroseconds = 30_000_000

    var longest: Int { max(now.longest, before.longest) }

    /// The shortest duration of a call; 0 if there was no call.
    var shortest: Int {
        let shortest = min(now.shortest, before.shortest)
        return shortest == .max ? 0 : shortest
    }

    /// Whether calls were slow on average at some time in the last 30 to 60 seconds.
    var wereSlow: Bool { now.wereSlow || before.wereSlow }

    /// Records the duration of a call.
    ///
    /// - Parameter isSlow: whether calls are slow on average.
    mutating func record(_ microseconds: Int, isSlow: Bool, at steady: Int) {
        let passed = steady - since
        if passed >= Self.spanMicroseconds {
            before = passed < 2 * Self.spanMicroseconds ? now : Span()
            now = Span()
            since = steady
        }
        now.shortest = min(now.shortest, microseconds)
        now.longest = max(now.longest, microseconds)
        now.wereSlow = now.wereSlow || isSlow
    }
}

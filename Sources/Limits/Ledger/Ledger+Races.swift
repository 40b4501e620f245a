/// The handling of contended records: several instances write such a record while store calls are slow.
extension Ledger {
    /// The duration above which calls to the store count as slow, in microseconds.
    private static let slowMicroseconds = 4_000
    /// The time after another instance's write in which a record counts as contended, in microseconds.
    private static let contendedMicroseconds = 2_000_000
    /// The maximum delay of a store call, in microseconds. A call is delayed while units might count that this instance
    /// has never seen.
    private static let blindMicroseconds = 1_000_000
    /// The longest time after a refusal in which the limit is assumed to be still full, in microseconds.
    private static let fullMicroseconds = 60_000_000

    /// Returns whether several instances write the record while calls to the store are slow.
    /// - Parameter roundTrip: the usual duration of a call to the store, in microseconds.
    static func isContended(_ account: Account, roundTrip: Int, _ now: ClockReading) -> Bool {
        guard let othersAt = account.othersAt, now.steady - othersAt < contendedMicroseconds else { return false }
        return isSlow(roundTrip)
    }

    static func isSlow(_ roundTrip: Int) -> Bool { roundTrip > slowMicroseconds }

    /// Estimates for how many microseconds other instances can still use units of an ended bucket. Returns 0 if the
    /// record keeps its buckets for long enough.
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

    /// Delays the account's next store call while units might count that this instance has never seen. Does nothing if
    /// the delay would be too long.
    func delayIfUseUnknown(_ account: Account, _ now: ClockReading) {
        let wait = account.counter.countUnknown(at: now.wall)
        if wait > 0, wait <= min(options.timeoutMicroseconds, Self.blindMicroseconds) {
            account.notBefore = now.steady + wait
        }
    }

    /// Refuses the account's requests that have waited too long if the limit was full a short time ago. Call this
    /// function after a write failed because another instance wrote the record first.
    mutating func refuseAfterLostRace(_ account: Account, _ now: ClockReading) {
        guard let fullAt = account.fullAt, account.limit.quota.unit != .concurrent,
            now.steady - fullAt < min(account.limit.layout.windowMicroseconds, Self.fullMicroseconds)
        else { return }
        for part in account.waiting where part.request.decision == nil {
            guard now.steady - part.request.begun > options.timeoutMicroseconds / 2, part.request.wait == nil else {
                continue
            }
            metrics.expired += 1
            decide(part.request, refusedForNow(part.request.parts, now))
        }
    }
}

/// The shortest and the longest duration of the successful store calls in the last 30 to 60 seconds, in microseconds.
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

    /// The shortest duration of a successful store call in the last 30 to 60 seconds, in microseconds; 0 if there was
    /// none.
    var shortest: Int {
        let shortest = min(now.shortest, before.shortest)
        return shortest == .max ? 0 : shortest
    }

    /// Whether calls were slow on average at some time in the last 30 to 60 seconds.
    var wereSlow: Bool { now.wereSlow || before.wereSlow }

    /// Records the duration of a call.
    /// - Parameters:
    ///   - isSlow: whether calls are slow on average.
    ///   - steady: the monotonic time, in microseconds.
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

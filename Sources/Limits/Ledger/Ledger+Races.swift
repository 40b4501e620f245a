/// Instances that want to write the same record while answers are late: a compare-and-swap fails if any other one was
/// carried out since the record was read, so that each loses often. The call that writes a contended record therefore
/// reads it, too, so that a loss costs one round trip and not two.
extension Ledger {
    /// Calls that take longer are slow. What is promised to the unit and to the bucket is promised for faster ones.
    private static let slowMicroseconds = 4_000
    /// For so long others that wrote the record are expected to write it again.
    private static let contendedMicroseconds = 2_000_000
    /// Requests wait no longer than that for what an instance cannot have seen.
    private static let blindMicroseconds = 1_000_000
    /// For so long a caller that was refused is known to ask for more than it may have.
    private static let fullMicroseconds = 60_000_000

    /// `roundTrip`: the usual time of a call of its lane.
    static func isContended(_ account: Account, roundTrip: Int, _ now: Moment) -> Bool {
        guard let othersAt = account.othersAt, now.steady - othersAt < contendedMicroseconds else { return false }
        return isSlow(roundTrip)
    }

    static func isSlow(_ roundTrip: Int) -> Bool { roundTrip > slowMicroseconds }

    /// Returns the time (microseconds) after a bucket in which other instances may still use its units, less the time that
    /// a call takes here at least: calls took as long lately, and leases that are made to be used late last as long.
    func lateness(_ account: Account) -> Int {
        let (limit, calls) = (account.limit, servers[account.server].calls)
        guard limit.countsLeft, instancesSeen > 1 || account.othersAt != nil, limit.quota.unit != .concurrent else {
            return 0
        }
        let isLeased = limit.quota.unit == .requests && limit.quota.count / 10 >= Lease.leastUnits && calls.wereSlow
        let latest = isLeased ? max(calls.longest, Lease.longestMicroseconds) : calls.longest
        let lateness = min(limit.grid.graceMicroseconds, latest) - calls.shortest
        // The record itself holds a bucket for so much longer than a window.
        return lateness > limit.grid.windowMicroseconds / limit.grid.perWindow ? lateness : 0
    }

    /// Requests wait because others may have used units late before this instance saw the record: never longer than
    /// requests wait for an answer.
    func waitIfBlind(_ account: Account, _ now: Moment) {
        let wait = account.tally.takeUnknown(at: now.wall)
        if wait > 0, wait <= min(options.timeoutMicroseconds, Self.blindMicroseconds) {
            account.notBefore = now.steady + wait
        }
    }

    /// Requests of a caller that asks for more than it may have do not wait until they win. Others took the room.
    mutating func refuseLosers(_ account: Account, _ now: Moment) {
        guard let fullAt = account.fullAt, account.limit.quota.unit != .concurrent,
            now.steady - fullAt < min(account.limit.grid.windowMicroseconds, Self.fullMicroseconds)
        else { return }
        for part in account.waiting where part.request.decision == nil {
            guard now.steady - part.request.begun > options.timeoutMicroseconds / 2 else { continue }
            metrics.expired += 1
            decide(part.request, refusedForNow(part.request.parts, now))
        }
    }
}

/// The durations of the calls that were answered in the last half to whole minute, in microseconds.
struct RecentCalls {
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

    /// 0 if there was none.
    var shortest: Int {
        let shortest = min(now.shortest, before.shortest)
        return shortest == .max ? 0 : shortest
    }

    /// Whether calls were slow in the mean for a while.
    var wereSlow: Bool { now.wereSlow || before.wereSlow }

    /// - Parameter isSlow: in the mean.
    mutating func note(_ microseconds: Int, isSlow: Bool, at steady: Int) {
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

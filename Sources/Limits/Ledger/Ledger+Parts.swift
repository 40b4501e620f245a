/// The share of each limit that an instance is allowed to use while the store is unavailable and the rule `share`
/// applies.
///
/// Each instance divides the limits by the number of living instances that it has seen, and writes this number into the
/// record of shares. An instance raises its own share only if the shares of the other instances leave room. So all
/// shares together are never more than the whole limit.
extension Ledger {
    /// The share of each limit that this instance is allowed to use while the store is unavailable and the rule `share`
    /// applies.
    struct InstanceShare {
        /// The number by which this instance divides each limit to find its own share of the limit.
        var instances = 1
        /// The largest part of each limit that this instance can use until the other instances leave room for an equal
        /// share; nil if there is no such bound.
        var cap: Fraction?
        /// Whether this instance has ever read the record of the living instances.
        var hasSeenStore = false
        /// Whether this instance has seen other instances that use a different `STORE_SECRET`, or no secret.
        var isSecretOther = false

        var fraction: Fraction { Fraction(units: min(Fraction(oneOf: instances).units, cap?.units ?? Fraction.whole)) }

        /// Lowers this instance's share of each limit to one of `count` equal shares. Does nothing if the share is
        /// smaller already.
        mutating func lower(to count: Int) { instances = max(instances, count) }

        /// Raises this instance's share of each limit as far as the shares of the other instances allow.
        ///
        /// - Parameters:
        ///   - count: the number of instances that this instance wrote into the record of shares.
        ///   - others: the numbers of instances that the other instances wrote into this record.
        mutating func wrote(_ count: Int, besides others: [Int]) {
            let claimed = others.reduce(0) { min($0 + (Fraction.whole - 1) / max(1, $1) + 1, Fraction.whole) }
            let rest = Fraction(units: Fraction.whole - claimed)
            if rest.units >= Fraction(oneOf: count).units {
                instances = count
                cap = nil
            } else if rest.units > fraction.units {
                instances = count
                cap = rest
            }
        }
    }

    /// The limit under which the store keeps the record of shares. In this record, each instance writes the number by
    /// which it divides the limits.
    static let shareRecordLimit = Limit("known", .concurrent)

    /// Lowers this instance's share if more instances are living now. Writes the number of living instances into the
    /// record of shares.
    mutating func countInstances(_ now: ClockReading) {
        if !shares.hasSeenStore {
            shares.hasSeenStore = true
            shares.cap = .nothing
        }
        shares.lower(to: instancesSeen)
        guard let shareRecord else { return }
        shareRecord.counter.hold(instancesSeen)
        scheduleWrite(shareRecord.account, now)
    }

    /// Handles a successful write to the record of shares: raises this instance's share if the other instances leave
    /// room.
    mutating func wroteShare(_ now: ClockReading) {
        guard let shareRecord else { return }
        let all = shareRecord.counter.living(at: now.wall)
        guard let own = all.first(where: { $0.instance == instance }) else { return }
        let others = all.filter { $0.instance != instance }
        shares.wrote(own.held, besides: others.map(\.held))
        // The other instances are about to make room.
        if shares.cap != nil { shareRecord.counter.renew(by: now.wall + Self.shareMicroseconds) }
        recordSecret(others)
    }

    private static let shareMicroseconds = 1_000_000

    /// Reports to the operator that other instances use a different `STORE_SECRET`. Such instances count callers
    /// separately.
    private mutating func recordSecret(_ others: [SlotRecord.Entry]) {
        let isOther = others.contains { $0.clockMilliseconds != options.secret?.mark }
        if isOther, !shares.isSecretOther { outbox.events.append(.otherSecret) }
        shares.isSecretOther = isOther
    }
}

/// An instance's share of each limit while the store is unavailable and the rule `share` applies. The shares of all
/// instances that have read the store are together at most the whole limit.
extension Ledger {
    /// This instance's share of each limit while the store is unavailable and the rule `share` applies.
    struct InstanceShare {
        /// The number by which this instance divides each limit to find its own share of the limit.
        var instances = 1
        /// The fraction of each limit that this instance must not exceed; nil if only `instances` decides its share.
        var cap: Fraction?
        /// Whether this instance has ever read the record of the living instances.
        var hasSeenStore = false
        /// Whether this instance has seen other instances that use a different `STORE_SECRET`, or no secret.
        var isSecretOther = false

        var fraction: Fraction { Fraction(units: min(Fraction(oneOf: instances).units, cap?.units ?? Fraction.whole)) }

        /// Lowers this instance's share of each limit to one of `count` equal shares. Does nothing if the share is
        /// smaller already.
        mutating func lower(to count: Int) { instances = max(instances, count) }

        /// Raises this instance's share of each limit as far as the other instances' shares allow. Call this function
        /// after a write to the record of shares.
        /// - Parameters:
        ///   - count: the number of instances that this instance wrote into the record of shares.
        ///   - others: the numbers that the other instances wrote into this record.
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

    /// The limit under which the store keeps the record of shares. In this record, each instance writes how many
    /// instances it has seen.
    static let shareRecordLimit = Limit("known", .concurrent)

    /// Lowers this instance's share of each limit if more instances are living. Stores the number of living instances
    /// for the other instances.
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

    /// Adjusts this instance's share after the instance has written to the record of shares, in which each instance
    /// stores how many instances it has seen.
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

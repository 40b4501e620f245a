/// The parts of limits that instances admit under the rule `share`.
///
/// The instances' views of each other differ for a while. So each instance writes its share into a shared record: the
/// number of instances among which it divides the limits. It takes no more than the shares of the others leave. A share
/// is lowered locally before it is written, and raised only after it was written. So the parts never add up to more
/// than the whole.
extension Ledger {
    /// The part of each limit that this instance may admit under the rule `share`.
    struct InstanceShare {
        /// The number of instances among which limits are divided.
        var instances = 1
        /// The largest part to take even if one of `instances` parts is more; nil if the shares of the others leave
        /// that much.
        var cap: Fraction?
        /// Whether a record of the living instances was read.
        var hasSeenStore = false
        /// Whether other instances were seen that use a different `STORE_SECRET`, or none.
        var isSecretOther = false

        var fraction: Fraction { Fraction(units: min(Fraction(oneOf: instances).units, cap?.units ?? Fraction.whole)) }

        /// Lowers the part because more instances were seen.
        mutating func lower(to count: Int) { instances = max(instances, count) }

        /// Raises the part after this instance's share to one of `count` parts was written.
        ///
        /// - Parameter others: the shares of the other instances in the same record.
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

    /// The limit whose record holds the shares: each instance writes the number among which it divides.
    static let shareRecordLimit = Limit("known", .concurrent)

    /// Updates the number of instances after their record was read.
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

    /// Handles the successful write of this instance's share.
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

    /// Reports instances with another secret: they keep counters under other names and count separately.
    private mutating func recordSecret(_ others: [SlotRecord.Entry]) {
        let isOther = others.contains { $0.clockMilliseconds != options.secret?.mark }
        if isOther, !shares.isSecretOther { outbox.events.append(.otherSecret) }
        shares.isSecretOther = isOther
    }
}

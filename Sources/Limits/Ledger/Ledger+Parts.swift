/// The parts of limits that instances may admit under the rule `share`, while the store is unavailable.
///
/// Each instance counts the living instances, and takes one of as many equal parts of a limit. For a while, instances
/// may see different counts. So each instance writes its count into a record that all instances share. An instance
/// takes no more than the parts of the others leave. If its count grows, it takes the smaller part at once. If its
/// count falls, it takes the larger part only after it has written the new count. So the parts never add up to more
/// than the whole limit.
extension Ledger {
    /// The part of each limit that this instance may admit under the rule `share`, while the store is unavailable.
    struct InstanceShare {
        /// The number of instances among which this instance divides the limits.
        var instances = 1
        /// The largest part of a limit that this instance may take, even if the limit divided by `instances` is more;
        /// nil if there is no such bound.
        var cap: Fraction?
        /// Whether this instance has ever read the record of the living instances.
        var hasSeenStore = false
        /// Whether this instance has seen other instances that use a different `STORE_SECRET`, or no secret.
        var isSecretOther = false

        var fraction: Fraction { Fraction(units: min(Fraction(oneOf: instances).units, cap?.units ?? Fraction.whole)) }

        /// Lowers this instance's part of each limit to one of `count` equal parts if the part is larger now.
        mutating func lower(to count: Int) { instances = max(instances, count) }

        /// Raises this instance's part of each limit as far as the parts of the other instances allow, after its number
        /// of instances was written to the record of shares.
        ///
        /// - Parameters:
        ///   - count: the number of instances that this instance wrote. Its part is one of `count` equal parts.
        ///   - others: the numbers that the other instances wrote into the same record.
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

    /// The limit whose record holds the shares. In this record, each instance writes the number of instances among
    /// which it divides limits.
    static let shareRecordLimit = Limit("known", .concurrent)

    /// Updates the number of instances that divide the limits, after the record of living instances was read.
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

    /// Handles a successful write to the record of shares, into which this instance wrote its number of instances.
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

    /// Reports instances with another `STORE_SECRET`: they name their records differently, so they count separately.
    private mutating func recordSecret(_ others: [SlotRecord.Entry]) {
        let isOther = others.contains { $0.clockMilliseconds != options.secret?.mark }
        if isOther, !shares.isSecretOther { outbox.events.append(.otherSecret) }
        shares.isSecretOther = isOther
    }
}

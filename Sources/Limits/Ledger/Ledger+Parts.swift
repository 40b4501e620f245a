/// The parts of limits that instances admit under `share`.
///
/// The instances' views of each other differ for a while. So each one writes into a record of their own among how many it shares
/// (its claim is one part of so many), and takes no more than what the claims of the others leave. A claim is lowered here
/// before it is written, and raised after that, so the parts never add up to more than the whole.
extension Ledger {
    /// The state of this instance's part.
    struct Shares {
        /// Among so many limits are shared out.
        var instances = 1
        /// No more than that, though one of so many would be; nil: the claims of the others leave it.
        var cap: Fraction?
        /// A record of the living instances was read.
        var hasSeenStore = false
        /// Others were seen that use another `STORE_SECRET`, or none.
        var isSecretOther = false

        var fraction: Fraction { Fraction(units: min(Fraction(oneOf: instances).units, cap?.units ?? Fraction.whole)) }

        /// More instances were seen.
        mutating func lower(to count: Int) { instances = max(instances, count) }

        /// The claim of one of `count` was written, beside the claims of others.
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

    /// The record in which instances say among how many they share.
    static let claimsLimit = Limit("known", .concurrent)

    /// A record of the living instances was read: among how many limits are shared out is known.
    mutating func countInstances(_ now: Moment) {
        if !shares.hasSeenStore {
            shares.hasSeenStore = true
            shares.cap = .nothing
        }
        shares.lower(to: instancesSeen)
        guard let claims else { return }
        claims.tally.hold(instancesSeen)
        settleSoon(claims.account, now)
    }

    /// Our claim was written.
    mutating func wroteClaim(_ now: Moment) {
        guard let claims else { return }
        let all = claims.tally.living(at: now.wall)
        guard let own = all.first(where: { $0.instance == instance }) else { return }
        let others = all.filter { $0.instance != instance }
        shares.wrote(own.held, besides: others.map(\.held))
        // Others are about to make room.
        if shares.cap != nil { claims.tally.renew(by: now.wall + Self.claimMicroseconds) }
        noteSecret(others)
    }

    private static let claimMicroseconds = 1_000_000

    /// Instances that keep counters under other names count by themselves.
    private mutating func noteSecret(_ others: [SlotRecord.Entry]) {
        let isOther = others.contains { $0.clockMilliseconds != options.secret?.mark }
        if isOther, !shares.isSecretOther { outbox.events.append(.otherSecret) }
        shares.isSecretOther = isOther
    }
}

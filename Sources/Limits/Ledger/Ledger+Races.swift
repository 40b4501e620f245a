/// Instances that want to write the same record while answers are late: a compare-and-swap fails if any other one was
/// carried out since the record was read, so that each loses often. The call that writes a contended record therefore
/// reads it, too, so that a loss costs one round trip and not two.
extension Ledger {
    /// Calls that take longer are slow. What is promised to the unit and to the bucket is promised for faster ones.
    private static let slowMicroseconds = 4_000
    /// For so long others that wrote the record are expected to write it again.
    private static let contendedMicroseconds = 2_000_000
    /// For so long a caller that was refused is known to ask for more than it may have.
    private static let fullMicroseconds = 60_000_000

    /// `roundTrip`: the usual time of a call of its lane.
    static func isContended(_ account: Account, roundTrip: Int, _ now: Moment) -> Bool {
        guard let othersAt = account.othersAt, now.steady - othersAt < contendedMicroseconds else { return false }
        return isSlow(roundTrip)
    }

    static func isSlow(_ roundTrip: Int) -> Bool { roundTrip > slowMicroseconds }

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

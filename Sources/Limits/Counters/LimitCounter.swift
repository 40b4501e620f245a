/// This instance's knowledge of one limit of one caller: the record as last seen in the store, and the units that the
/// record does not contain yet. Without a store it is the record itself. Times are wall-clock microseconds.
///
/// At most one write is under way. It begins with `beginDraft`, continues with `remove` and `admit` for the waiting
/// requests, and ends with `commitDraft` or `dropDraft`. A committed write ends with `written`, `notWritten` or
/// `unknown`.
protocol LimitCounter: AnyObject {
    // MARK: Local decisions

    func hasRoom(for units: Int, at time: Int) -> Bool

    /// Returns whether the rule for outages leaves room.
    func hasRoom(for units: Int, by rule: OutageRule, at time: Int) -> Bool

    /// Counts units that were admitted without the store, or used beyond the reservation.
    func charge(_ units: Int, at time: Int) -> BucketIndex

    /// Spends units of an open lease, which are already counted in the store. Returns nil if no lease has enough.
    func spend(_ units: Int, at time: Int) -> BucketIndex?

    /// Returns the reason why the units do not fit, also by `rule` if there is one; nil if they fit.
    func refusal(of units: Int, by rule: OutageRule?, at time: Int) -> Refusal?

    /// Returns the remaining units. Under a `rule` these are at most what the rule leaves.
    func standing(by rule: OutageRule?, at time: Int) -> LimitStanding

    /// Ends a reservation. If `used` is nil the actual use is unknown, and all units stay charged.
    func settle(_ units: Int, used: Int?, in position: BucketIndex, at time: Int)

    func giveBack(_ units: Int, in position: BucketIndex, at time: Int)

    /// Returns where units that are used now count. Within the grace time after their bucket they move to the current
    /// one. Returns nil if they are too late, and the next write has to move them.
    func use(_ units: Int, in position: BucketIndex, at time: Int) -> BucketIndex?

    // MARK: Outages

    /// Begins an outage: fixes the basis from which the rule `share` computes its parts.
    func beginOutage(_ epoch: Int, at time: Int)
    func endOutage()

    // MARK: The store

    /// The time after a bucket in which other instances may still use its units, in microseconds.
    var lateness: Int { get set }
    /// Returns the time in microseconds for which nothing may be admitted, because others may have used units late
    /// without this instance seeing it. Returns it only once.
    func countUnknown(at time: Int) -> Int
    /// Takes over a record that was read.
    ///
    /// - Parameters:
    ///   - found: the record; nil if the store has none.
    ///   - birth: the birth number for a record that is to be added.
    ///   - isAhead: whether the record is far ahead of all clocks, so that it must be moved back.
    func absorb(_ found: StoredRecord?, birth: UInt64, isAhead: Bool, at time: Int)
    /// Begins a write.
    ///
    /// - Parameter isTaking: whether the write serves waiting requests.
    func beginDraft(isTaking: Bool, at time: Int)
    /// Removes units from the bucket in which they were counted, because they were counted too late to be used.
    func remove(_ units: Int, from position: BucketIndex)
    func admit(_ units: Int, by rule: OutageRule?, at time: Int) -> Bool
    /// Whether the draft contains something to write.
    var isDraftChanged: Bool { get }
    func dropDraft()
    /// Completes the draft. Returns the record to write, and where the admitted units count.
    func commitDraft(leasing: LeaseConditions?, at time: Int) -> (StoredRecord, BucketIndex)
    func written(at time: Int)
    /// Ends a write that certainly did not happen: everything in it is still to be written.
    func notWritten()
    /// Ends a write whose outcome is unknown. Charges are written again; refunds are not repeated.
    func unknown()

    // MARK: Upkeep

    /// Returns whether something must be written even if no request asks for it.
    func needsWrite(at time: Int) -> Bool
    /// Returns the wall-clock time at which the counter must be written if nothing else happens; nil if it need not be
    /// written.
    func dueTime() -> Int?
    /// Ends the lease, whose units could be used without the store, because the server was lost.
    func storeLost()
    /// Returns whether this counter knows nothing that another instance could not read from the store.
    func isSpent(at time: Int) -> Bool
    /// Whether the counter must not be dropped.
    var isPinned: Bool { get }
    /// Whether the store still lacks some of this counter's units. Such a counter is dropped only if the store also
    /// lacks units of nearly all other counters.
    var owes: Bool { get }
    /// Moves the counts back to the current time after the clock was set back by hours. Returns whether anything moved.
    func moveBackIfAhead(of time: Int) -> Bool
    /// Returns the used part of the limit, from 0 to 1 and more.
    func usedShare(at time: Int) -> Double
    /// Forgets all counted units, after an operator has reset the record.
    func reset(at time: Int)
    /// Ends leases and releases slots before the process ends.
    func close(at time: Int)
}

/// The reason why there is no room, as two durations.
struct Refusal {
    /// The microseconds until there is room if nobody else uses it; nil if there never is.
    let wait: Int?
    /// The microseconds for which the refusal stays valid.
    let memory: Int
}

/// The setting `RATE_LIMIT_STORE_DOWN`, and the number of instances that divide a limit.
struct OutageRule {
    let rule: StoreDownRule
    let instances: Int
    /// The position of this instance among all, from 0; nil if unknown.
    let rank: Int?
    /// The number of the outage, which distinguishes it from earlier ones.
    let epoch: Int
    /// The largest part that this instance may take, since others may take the rest; nil if there is no such bound.
    var cap: Fraction?

    /// Returns one instance's part of the units that are left. If they cannot be divided evenly, the first instances
    /// get one more.
    func part(of left: Int) -> Int {
        guard left > 0 else { return 0 }
        if let cap, cap.units < Fraction(oneOf: instances).units { return cap.part(of: left) }
        let (part, rest) = left.quotientAndRemainder(dividingBy: instances)
        return part + (rest > (rank ?? 0) ? 1 : 0)
    }
}

/// The sums over all counters of an instance.
///
/// `@unchecked`: used only while the ledger's lock is held.
final class CounterSums: @unchecked Sendable {
    /// The number of leases that were opened, and the units counted by them.
    var leases = 0
    var leasedUnits = 0
    /// The units of open leases that were not used yet.
    var openUnits = 0
    /// The slots held by requests of this instance.
    var slots = 0
    /// The number of records that the store lost and this instance put back.
    var rejoined = 0
}

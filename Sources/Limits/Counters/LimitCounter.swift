/// This instance's knowledge of one limit of one caller: the record as last seen in the store, and the units that the
/// record does not contain yet. Without a store, the counter has the only record. Times are wall-clock microseconds.
///
/// At most one write to the store is under way. It begins with `beginDraft`, continues with `remove` and `admit` for
/// the waiting requests, and ends with `commitDraft` or `dropDraft`. A committed write ends with `written`,
/// `notWritten` or `unknown`.
protocol LimitCounter: AnyObject {
    // MARK: Local decisions

    func hasRoom(for units: Int, at time: Int) -> Bool

    /// Returns whether the units fit under the rule that applies while the store is unavailable.
    func hasRoom(for units: Int, by rule: OutageRule, at time: Int) -> Bool

    /// Counts units that were admitted without the store, or that a call used beyond its reservation. Returns the
    /// bucket in which the units count.
    func charge(_ units: Int, at time: Int) -> BucketIndex

    /// Takes units from the open lease, which is already counted in the store. Returns the bucket in which the units
    /// count; nil if the lease has too few units.
    func spend(_ units: Int, at time: Int) -> BucketIndex?

    /// Returns the reason why the units do not fit; nil if they fit. If `rule` is not nil, the units must also fit
    /// under this rule.
    func refusal(of units: Int, by rule: OutageRule?, at time: Int) -> Refusal?

    /// Returns the remaining units of the limit. If `rule` is not nil, they are at most the units that this rule
    /// leaves.
    func standing(by rule: OutageRule?, at time: Int) -> LimitStanding

    /// Ends a reservation and corrects it to the used units. If `used` is nil, the use is unknown and all units stay
    /// counted.
    func settle(_ units: Int, used: Int?, in position: BucketIndex, at time: Int)

    func giveBack(_ units: Int, in position: BucketIndex, at time: Int)

    /// Returns the bucket in which reserved units count if they are used now. For a short time after the end of their
    /// bucket, the units move to the current bucket. After that time, returns nil, and the next write has to move the
    /// units.
    func use(_ units: Int, in position: BucketIndex, at time: Int) -> BucketIndex?

    // MARK: Outages

    /// Begins an outage of the store, with the number `epoch`. Copies the counts, because the rule `share` computes
    /// from them the units that this instance may admit.
    func beginOutage(_ epoch: Int, at time: Int)
    func endOutage()

    // MARK: The store

    /// The time after the end of a bucket in which other instances may still use its units, in microseconds.
    var lateness: Int { get set }
    /// Returns the microseconds for which nothing may be admitted, because other instances may have used units that
    /// this instance did not see. Returns this time only once, and then 0.
    func countUnknown(at time: Int) -> Int
    /// Takes over a record that was read from the store.
    ///
    /// - Parameters:
    ///   - found: the record; nil if the store has none.
    ///   - birth: the birth number for a new record: a random number that shows later whether the store lost the
    ///     record.
    ///   - isAhead: whether the newest bucket of the record is far in the future, so that the record must be moved
    ///     back.
    func absorb(_ found: StoredRecord?, birth: UInt64, isAhead: Bool, at time: Int)
    /// Begins a draft of the next write to the store.
    ///
    /// - Parameter isTaking: whether the write may admit waiting requests.
    func beginDraft(isTaking: Bool, at time: Int)
    /// Removes units from their bucket in the draft of a write, because the units were counted too late to be used in
    /// this bucket.
    func remove(_ units: Int, from position: BucketIndex)
    func admit(_ units: Int, by rule: OutageRule?, at time: Int) -> Bool
    /// Whether the draft of a write contains a change that must be written to the store.
    var isDraftChanged: Bool { get }
    func dropDraft()
    /// Completes the draft of a write. Returns the record to write, and the bucket in which the admitted units count.
    func commitDraft(leasing: LeaseConditions?, at time: Int) -> (StoredRecord, BucketIndex)
    func written(at time: Int)
    /// Ends a write that certainly did not reach the store. All its changes must still be written.
    func notWritten()
    /// Ends a write whose outcome is unknown. Its charges are written again. Its refunds are not, so that no unit is
    /// refunded twice.
    func unknown()

    // MARK: Upkeep

    /// Returns whether the counter has something to write to the store now, even without a request.
    func needsWrite(at time: Int) -> Bool
    /// Returns the wall-clock time at which the counter must be written to the store, even without a request; nil if it
    /// has nothing to write.
    func dueTime() -> Int?
    /// Ends the open lease, because the server of the store has failed.
    func storeLost()
    /// Returns whether the counter can be dropped, because it has nothing to write and its counts no longer matter.
    func isSpent(at time: Int) -> Bool
    /// Whether the counter must stay in memory, for example because a write is under way.
    var isPinned: Bool { get }
    /// Whether the store still lacks some units of this counter. Such a counter is dropped from memory only if a search
    /// among the least recently used counters finds no other counter to drop.
    var owes: Bool { get }
    /// Moves the counts back to the current time if they are far in the future, because the clock was set back. Returns
    /// whether any counts were moved.
    func moveBackIfAhead(of time: Int) -> Bool
    /// Returns the used part of the limit: 0 if nothing is used, 1 if all units are used, and more if the limit is
    /// exceeded.
    func usedShare(at time: Int) -> Double
    /// Sets the counted units to 0, because an operator has reset the limit.
    func reset(at time: Int)
    /// Ends leases and releases slots, because the process is about to end.
    func close(at time: Int)
}

/// A refusal of units by a limit: the time until there is room, and the time for which the refusal can be remembered.
struct Refusal {
    /// The microseconds until the limit has room if nobody else uses it; nil if the units never fit.
    let wait: Int?
    /// The microseconds for which this refusal can be remembered and repeated.
    let memory: Int
}

/// The rule of `RATE_LIMIT_STORE_DOWN` for a time without the store, and the number of instances that divide a limit.
struct OutageRule {
    let rule: StoreDownRule
    let instances: Int
    /// The position of this instance among all instances, from 0; nil if it is unknown.
    let rank: Int?
    /// The number of the store's outage. Each new outage has a new number.
    let epoch: Int
    /// The largest part of a limit that this instance may take, because other instances may take the rest; nil if there
    /// is no such bound.
    var cap: Fraction?

    /// Returns this instance's part of the units that are left. If the units cannot be divided evenly, the first
    /// instances get one unit more.
    func part(of left: Int) -> Int {
        guard left > 0 else { return 0 }
        if let cap, cap.units < Fraction(oneOf: instances).units { return cap.part(of: left) }
        let (part, rest) = left.quotientAndRemainder(dividingBy: instances)
        return part + (rest > (rank ?? 0) ? 1 : 0)
    }
}

/// The sums over all counters of an instance, for the metrics.
///
/// `@unchecked`: used only while the ledger's lock is held.
final class CounterSums: @unchecked Sendable {
    /// The number of leases that were opened.
    var leases = 0
    /// The sum of the units of all leases that were opened.
    var leasedUnits = 0
    /// The units of open leases that are not used yet.
    var openUnits = 0
    /// The slots held by requests of this instance.
    var slots = 0
    /// The number of records that the store lost and that this instance wrote again.
    var rejoined = 0
}

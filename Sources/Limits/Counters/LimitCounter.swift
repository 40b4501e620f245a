/// The state of one limit for one caller in this instance. All times are wall-clock microseconds.
///
/// At most one write to the store is under way. A write begins with `beginDraft`. Then `commitDraft` completes the new
/// record, or `dropDraft` cancels the write. After `commitDraft`, call `written`, `notWritten` or `unknown`.
protocol LimitCounter: AnyObject {
    // MARK: Local decisions

    func hasRoom(for units: Int, at time: Int) -> Bool

    /// Returns whether the limit allows the units, under the rule that applies while the store is unavailable.
    func hasRoom(for units: Int, by rule: OutageRule, at time: Int) -> Bool

    /// Counts units that were admitted without the store or used beyond a reservation. Returns the units' bucket.
    func charge(_ units: Int, at time: Int) -> BucketIndex

    /// Uses units of the open lease. Returns the units' bucket; nil if no open lease has enough units.
    func spend(_ units: Int, at time: Int) -> BucketIndex?

    /// Returns the reason why the limit has no room for the units; nil if it has room. With the rule `share`, this
    /// instance's part must also have room.
    func refusal(of units: Int, by rule: OutageRule?, at time: Int) -> Refusal?

    /// Returns the state of the limit with its remaining units, which `rule` can reduce.
    func standing(by rule: OutageRule?, at time: Int) -> LimitStanding

    /// Corrects reserved units to the units that the request used. If `used` is nil, the reserved units stay counted.
    /// Slots are always released.
    func settle(_ units: Int, used: Int?, in position: BucketIndex, at time: Int)

    func giveBack(_ units: Int, in position: BucketIndex, at time: Int)

    /// Returns the bucket in which reserved units can be used: their own bucket or, shortly after its end, the current
    /// bucket, to which the units then move. Returns nil if their bucket ended too long ago.
    func use(_ units: Int, in position: BucketIndex, at time: Int) -> BucketIndex?

    // MARK: Outages

    /// Begins an outage of the store.
    ///
    /// - Parameter epoch: the number that identifies this outage.
    func beginOutage(_ epoch: Int, at time: Int)
    func endOutage()

    // MARK: The store

    /// The time for which other instances might use units after the end of the units' bucket, in microseconds.
    var lateness: Int { get set }
    /// Returns for how many microseconds buckets might still count that left the record before this instance read it;
    /// 0 if there are none. A repeated call returns 0.
    func countUnknown(at time: Int) -> Int
    /// Takes over a record that was read from the store.
    ///
    /// - Parameters:
    ///   - found: the record; nil if the store has none.
    ///   - birth: the birth number (random id) of a new record.
    ///   - isAhead: whether the newest bucket of the record is far in the future. If so, the record is moved back.
    func absorb(_ found: StoredRecord?, birth: UInt64, isAhead: Bool, at time: Int)
    /// Begins a draft of the next write to the store.
    ///
    /// - Parameter isTaking: whether the write can admit waiting requests.
    func beginDraft(isTaking: Bool, at time: Int)
    /// Removes units from the draft of a write. `position` is the bucket in which the units were counted.
    func remove(_ units: Int, from position: BucketIndex)
    func admit(_ units: Int, by rule: OutageRule?, at time: Int) -> Bool
    /// Whether the draft of a write contains a change that must be written to the store.
    var isDraftChanged: Bool { get }
    func dropDraft()
    /// Completes the draft of a write. Returns the record to write, and the admitted units' bucket.
    func commitDraft(leasing: LeaseConditions?, at time: Int) -> (StoredRecord, BucketIndex)
    func written(at time: Int)
    /// Ends a write that certainly did not reach the store. All its changes must still be written.
    func notWritten()
    /// Ends a write whose outcome is unknown. The next write repeats the charges but not the refunds.
    func unknown()

    // MARK: Upkeep

    /// Returns whether the counter has something to write to the store now, even without a request.
    func needsWrite(at time: Int) -> Bool
    /// Returns the wall-clock time of the next delayed write to the store; nil if no write is delayed. Ignores changes
    /// that must be written at once.
    func dueTime() -> Int?
    /// Ends the open lease, because the server of the store has failed.
    func storeLost()
    /// Returns whether the counter has nothing to write and its counts no longer matter.
    func isSpent(at time: Int) -> Bool
    /// Whether the counter must stay in memory, for example because a write is under way.
    var isPinned: Bool { get }
    /// Whether the store still lacks changes of this counter; always false for slots.
    var owes: Bool { get }
    /// Moves counts that are far in the future back to the current time. Returns whether any counts were moved.
    func moveBackIfAhead(of time: Int) -> Bool
    /// Returns the used part of the limit: 0 for nothing, 1 for all units, more if the limit is exceeded.
    func usedShare(at time: Int) -> Double
    /// Sets the counted units to 0, because an operator has reset the limit.
    func reset(at time: Int)
    /// Ends leases and releases slots, because the process is about to end.
    func close(at time: Int)
}

/// A refusal of units by a limit.
struct Refusal {
    /// The microseconds until the limit has room if nobody else uses it; nil if the units never fit.
    let wait: Int?
    /// The microseconds for which this refusal can be repeated without a new decision.
    let memory: Int
}

/// The rule for decisions while the store is unavailable (`RATE_LIMIT_STORE_DOWN`).
struct OutageRule {
    let rule: StoreDownRule
    let instances: Int
    /// The position of this instance among all instances, from 0; nil if it is unknown.
    let rank: Int?
    /// The number that identifies the current outage of the store. Each new outage has a new number.
    let epoch: Int
    /// The largest usable part of a limit for this instance; nil if there is no such bound.
    var cap: Fraction?

    /// Returns this instance's part of the remaining units of a limit.
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

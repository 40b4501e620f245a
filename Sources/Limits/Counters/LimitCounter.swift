/// The state of one limit for one caller in this instance. All times are wall-clock microseconds.
///
/// At most one write to the store is under way. A write begins with `beginDraft`. Then `commitDraft` completes the new
/// record, or `dropDraft` cancels the write. After `commitDraft`, call `written`, `notWritten` or `unknown`.
protocol LimitCounter: AnyObject {
    // MARK: Local decisions

    func hasRoom(for units: Int, at time: Int) -> Bool

    /// Returns whether the limit allows the units, under the rule that applies while the store is unavailable.
    func hasRoom(for units: Int, by rule: OutageRule, at time: Int) -> Bool

    /// Counts units without a check: units that were admitted without the store, or used beyond a reservation. Returns
    /// the bucket in which they count.
    func charge(_ units: Int, at time: Int) -> BucketIndex

    /// Takes units from the open lease for a request. Returns the bucket in which they count; nil if no open lease has
    /// enough units.
    func spend(_ units: Int, at time: Int) -> BucketIndex?

    /// Returns the refusal if the limit has no room for the units; nil if it has room. Under the rule `share`, this
    /// instance's share must have room, too.
    func refusal(of units: Int, by rule: OutageRule?, at time: Int) -> Refusal?

    /// Returns the microseconds after which a refused request should return: `wait`, or more if others that were refused
    /// within the same second return for that room, up to a window and two buckets.
    /// - Parameter patience: the microseconds for which the request waits when it is back.
    func returnTime(of units: Int, after wait: Int, patience: Int, at time: Int) -> Int

    /// Returns the limit's remaining units and reset time. `rule` can lower the remaining units to this instance's
    /// share.
    func standing(by rule: OutageRule?, at time: Int) -> LimitStanding

    /// Corrects reserved units to the units that the request used. If `used` is nil, the reserved units stay counted.
    /// Slots are always released.
    func settle(_ units: Int, used: Int?, in bucket: BucketIndex, at time: Int)

    func giveBack(_ units: Int, in bucket: BucketIndex, at time: Int)

    /// Returns the bucket in which a request can use its counted units; nil if their bucket ended too long ago, or has not
    /// come. If their bucket ended a short time ago, moves the units to the current bucket.
    func use(_ units: Int, in bucket: BucketIndex, at time: Int) -> BucketIndex?

    /// The units that running requests of this instance hold until their use is known.
    var heldUnits: Int { get set }

    // MARK: Turns

    /// Returns the earliest time of `span` at which the limit has room for the units and no turn is delayed; nil if
    /// there is none, or if requests never wait for the limit.
    /// - Parameter bucket: the bucket of a turn in whose place the units would be counted; nil if there is none.
    func turn(_ units: Int, besides bucket: BucketIndex?, in span: ClosedRange<Int>, at time: Int) -> Int?
    /// Counts the units in the bucket of their turn: in the draft of a write, or in this process. Returns the bucket; nil
    /// if there is none in `span`.
    func takeTurn(_ units: Int, in span: ClosedRange<Int>, at time: Int) -> BucketIndex?
    /// Returns whether units that were counted for a turn can be used now, because the record counts them and is not
    /// above the limit.
    func keepsTurn(_ units: Int, in bucket: BucketIndex, at time: Int) -> Bool

    // MARK: Outages

    /// Records that an outage of the store has begun.
    /// - Parameter epoch: the number that identifies this outage.
    func beginOutage(_ epoch: Int, at time: Int)
    func endOutage()

    // MARK: The store

    /// The time for which other instances might use units after the end of the units' bucket, in microseconds.
    var lateness: Int { get set }
    /// Returns for how many microseconds buckets that this instance has never seen might still count; 0 if there are
    /// none. A repeated call returns 0.
    func countUnknown(at time: Int) -> Int
    /// Replaces the counter's copy of the record with the record that was read from the store.
    /// - Parameters:
    ///   - found: the record; nil if the store has none.
    ///   - version: the number of the record's version; 0 if there is no record.
    ///   - mark: the mark of the write of the record; 0 if it is unknown.
    ///   - birth: the birth number (random id) for a new record. It is used if the store has no record.
    ///   - isAhead: whether the newest bucket of the record is far in the future. If so, the record is moved back.
    func absorb(_ found: StoredRecord?, version: UInt64, mark: UInt32, birth: UInt64, isAhead: Bool, at time: Int)
    /// Begins a draft of the record that the next write puts into the store.
    /// - Parameter isTaking: whether the write can admit waiting requests.
    func beginDraft(isTaking: Bool, at time: Int)
    /// Removes units from the draft of a write. `bucket` is the one in which the units were counted.
    func remove(_ units: Int, from bucket: BucketIndex)
    /// Returns the units that are free besides those in the draft of a write. `rule` can lower them to this instance's
    /// share.
    func freeInDraft(by rule: OutageRule?, at time: Int) -> Int
    /// Counts the units in the draft of a write if they fit into the limit. Returns whether they fit.
    func admit(_ units: Int, by rule: OutageRule?, at time: Int) -> Bool
    /// Whether the draft of a write contains a change that must be written to the store.
    var isDraftChanged: Bool { get }
    func dropDraft()
    /// Completes the draft of a write. Returns the record to write, and the bucket in which it counts admitted units.
    func commitDraft(leasing: LeaseConditions?, at time: Int) -> (StoredRecord, BucketIndex)
    /// Ends a write that gave the record this version in the store.
    func written(version: UInt64, at time: Int)
    /// Ends a write that certainly did not reach the store. All its changes must still be written.
    func notWritten()
    /// Ends a write whose outcome is unknown. The next write repeats the charges. If a later read shows whether the write
    /// was carried out, it takes back the charges of the one that was, or repeats the refunds of the one that was not.
    func unknown(mark: UInt32)

    // MARK: Upkeep

    /// Makes the counter count by the number of `limit`, which differs from its present limit in nothing else.
    func use(_ limit: Limit)
    /// Returns whether the counter has something to write to the store now, even without a request.
    func needsWrite(at time: Int) -> Bool
    /// Returns the wall-clock time of the next delayed write to the store; nil if no write is delayed. Ignores changes
    /// that must be written at once.
    func dueTime() -> Int?
    /// Ends the open lease, because the server of the store has failed.
    func storeLost()
    /// Returns whether the counter is no longer needed: it has nothing to write, and its counts no longer matter.
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

struct Refusal {
    /// The microseconds until the limit has room if nobody else uses it; nil if the units never fit.
    let wait: Int?
    /// The microseconds for which later requests can be refused as well, without a call to the store.
    let memory: Int
    /// Whether the limit has room, but this instance's part of it will have none as long as the store is unavailable.
    var lacksPart = false
}

/// The rule for decisions during or shortly after an outage of the store (`RATE_LIMIT_STORE_DOWN`). The numbers give
/// this instance's share of a limit.
struct OutageRule {
    let rule: StoreDownRule
    let instances: Int
    /// The index of this instance among all instances, from 0; nil if it is unknown.
    let rank: Int?
    /// The number that identifies the current outage of the store. Each new outage has a new number.
    let epoch: Int
    /// The fraction of a limit that this instance must not exceed; nil if only `instances` decides its share.
    var cap: Fraction?

    /// Returns this instance's share of the units that a limit has left.
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

/// A fraction of a limit, such as a third. All fractions have the denominator `whole`.
struct Fraction: Equatable {
    /// The numerator of the fraction; `whole` is the denominator.
    let units: Int

    /// The denominator of all fractions. It is divisible by every number up to 40.
    static let whole = 5_342_931_457_063_200
    static let nothing = Fraction(units: 0)

    init(units: Int) { self.units = units }

    /// Creates the fraction 1/`count`, rounded down.
    init(oneOf count: Int) { units = Self.whole / max(1, count) }

    /// Returns this fraction of a number of units, rounded down.
    func part(of left: Int) -> Int {
        let product = max(0, left).multipliedFullWidth(by: units)
        return Self.whole.dividingFullWidth(product).quotient
    }
}

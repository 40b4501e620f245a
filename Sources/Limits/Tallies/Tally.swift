/// This instance's knowledge of one limit of one caller: the record as last seen in the store, and
/// the units that it does not hold yet. Without a store, the record itself. Times are wall-clock microseconds.
///
/// At most one write is under way: `beginDraft`, then `takeOut` and `admit` for what waits, then `commitDraft` or
/// `dropDraft`; a committed one ends with `written`, `notWritten` or `unknown`.
protocol Tally: AnyObject {
    // MARK: Decisions here

    func hasRoom(for units: Int, at time: Int) -> Bool

    /// True if the rule for outages leaves room.
    func hasRoom(for units: Int, by rule: OutageRule, at time: Int) -> Bool

    /// Counts what is admitted without the store, or was used beyond what was reserved.
    func charge(_ units: Int, at time: Int) -> Place

    /// Units that are counted in the store already, ahead of their use.
    func spend(_ units: Int, at time: Int) -> Place?

    /// nil: there is room; by `rule` too, if there is one.
    func refusal(of units: Int, by rule: OutageRule?, at time: Int) -> Refusal?

    /// Under `rule`, if there is one, no more is left than that leaves.
    func standing(by rule: OutageRule?, at time: Int) -> LimitStanding

    /// Ends a hold. `used` nil: not known, so all of it.
    func settle(_ units: Int, used: Int?, in place: Place, at time: Int)

    func giveBack(_ units: Int, in place: Place, at time: Int)

    /// The place where units count that are to be used now; nil: they are too late where they were counted, and have
    /// to be moved by the next write. Not much too late, they are noted as owed now and as to be taken out there.
    func use(_ units: Int, in place: Place, at time: Int) -> Place?

    // MARK: Outages

    /// From here on what the rule `share` leaves is known.
    func beginOutage(_ epoch: Int, at time: Int)
    func endOutage()

    // MARK: The store

    /// The time after a bucket in which other instances may still use its units (microseconds).
    var lateness: Int { get set }
    /// Returns, once, the time for which nothing is to be admitted, because others may have used units late that cannot be
    /// seen (microseconds).
    func takeUnknown(at time: Int) -> Int
    /// Takes over what was read. `birth`: for a record that is to be added. `isAhead`: all clocks say that it is far
    /// ahead of them; it is moved back.
    func absorb(_ found: StoredRecord?, birth: UInt64, isAhead: Bool, at time: Int)
    /// `isTaking`: for requests that wait.
    func beginDraft(isTaking: Bool, at time: Int)
    /// Moves units that were too late to be used out of where they are counted.
    func takeOut(_ units: Int, from place: Place)
    func admit(_ units: Int, by rule: OutageRule?, at time: Int) -> Bool
    /// Something is to be written.
    var isDraftChanged: Bool { get }
    func dropDraft()
    /// The record to be written, and where it counts what it admits.
    func commitDraft(leasing: LeaseTerms?, at time: Int) -> (StoredRecord, Place)
    func written(at time: Int)
    /// Certainly not, so all of it is still to be done.
    func notWritten()
    /// Perhaps: what was charged is charged again, what was given back is not repeated.
    func unknown()

    // MARK: Upkeep

    /// Something is to be written, whether a request asks or not.
    func needsWrite(at time: Int) -> Bool
    /// When it will be, if nothing else happens.
    func dueTime() -> Int?
    /// The server was lost: what may be spent without it ends.
    func storeLost()
    /// Nothing is known here that another instance could not know.
    func isSpent(at time: Int) -> Bool
    /// Must not be forgotten.
    var isPinned: Bool { get }
    /// Whether the store still lacks something of this tally. Such a tally is dropped only where nearly all others lack it, too.
    var owes: Bool { get }
    /// After the clock went back by hours what was counted before is counted as of now. True if it was.
    func moveBackIfAhead(of time: Int) -> Bool
    /// The part of the limit that is used.
    func usedShare(at time: Int) -> Double
    /// Forgets all that was counted, after an operator has reset the record.
    func reset(at time: Int)
    /// Ends what is kept for later use, before the process ends.
    func close(at time: Int)
}

/// Why there is no room.
struct Refusal {
    /// Microseconds until there is if nobody takes it; nil: never.
    let wait: Int?
    /// For so long the answer cannot change.
    let memory: Int
}

/// `RATE_LIMIT_STORE_DOWN`, and among how many instances a limit is shared out.
struct OutageRule {
    let rule: StoreDownRule
    let instances: Int
    /// Our place among them, from 0; nil: not known.
    let rank: Int?
    /// Tells one outage from another.
    let epoch: Int
    /// No more than that, as others may take the rest.
    var cap: Fraction?

    /// Of what is left one instance's part. The first ones take one more where it cannot be shared out evenly.
    func part(of left: Int) -> Int {
        guard left > 0 else { return 0 }
        if let cap, cap.units < Fraction(oneOf: instances).units { return cap.part(of: left) }
        let (part, rest) = left.quotientAndRemainder(dividingBy: instances)
        return part + (rest > (rank ?? 0) ? 1 : 0)
    }
}

/// The sums over all tallies of an instance.
///
/// `@unchecked`: reached with the ledger's lock held only.
final class TallySums: @unchecked Sendable {
    /// Leases that were opened, and the units counted by them.
    var leases = 0
    var leasedUnits = 0
    /// Units of leases that are open.
    var openUnits = 0
    /// Slots held by requests of this instance.
    var slots = 0
    /// Records that were lost in the store and put back from here.
    var rejoined = 0
}

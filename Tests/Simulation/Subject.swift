@testable import Limits

/// One limit of one caller, and the plain list of what was admitted under it.
final class Subject {
    struct Admission {
        let askedAt: Int
        let time: Int
        /// On the clock of the instance that decided.
        let wall: Int
        let instance: Int
        let units: Int
        /// Decided while its instance had no answer of the store: known when the run is over.
        var isByRule = false
        /// What it came to, once that was known, and when.
        var used: Int?
        var settledAt = Int.max

        /// Counts at a time: what was reserved until it is settled, then no more than that.
        func counts(at time: Int) -> Int { settledAt <= time ? min(units, used ?? units) : units }
    }

    struct Exchange {
        let instance: Int
        let sentAt: Int
        /// When the store carried it out.
        let time: Int
        /// When its instance learned of it.
        let heardAt: Int
        let isWritten: Bool
    }

    let number: Int
    let limit: Limit
    let identity: Identity
    let storeKey: String
    /// One caller alone uses it, one request at a time and always at the same instance.
    let isExclusive: Bool
    var admissions: [Admission] = []
    /// Places in `admissions`, in the order of settlement.
    var settlements: [Int] = []
    /// What instances read from the store and wrote there, and got an answer to.
    var exchanges: [Exchange] = []
    /// When the store lost the record.
    var losses: [Int] = []
    /// Its callers always want more than they may have.
    var isSaturated = false
    var firstAsk: Int?

    init(_ number: Int, _ limit: Limit, _ identity: Identity, isExclusive: Bool) {
        self.number = number
        self.limit = limit
        self.identity = identity
        self.isExclusive = isExclusive
        storeKey = identity.storeKey(limit)
    }

    /// Orders what happened by time, as a stopped process tells late what it decided before.
    func sort() {
        admissions.sort { $0.time < $1.time }
        settlements = admissions.indices.filter { admissions[$0].settledAt < .max }
        settlements.sort { admissions[$0].settledAt < admissions[$1].settledAt }
        exchanges.sort { $0.time < $1.time }
    }

    /// Refused: when it was asked, when it was decided, and for how many.
    var refusals: [(askedAt: Int, time: Int, units: Int)] = []

    /// Of requests that run, not of a window.
    var isSlots: Bool { limit.quota.unit == .concurrent }
    var bound: Int { limit.quota.count }
    var window: Int { limit.grid.windowMicroseconds }
    var bucket: Int { window / limit.grid.perWindow }
}

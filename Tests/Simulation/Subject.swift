@testable import Limits

/// One limit of one caller, and the list of everything that was admitted under it.
final class Subject {
    struct Admission {
        let askedAt: Int
        let time: Int
        /// The time of the decision on the clock of its instance.
        let wall: Int
        let instance: Int
        let units: Int
        /// Whether the instance decided without a response of the store. Known only when the run is over.
        var isByRule = false
        /// The actual use, once it was known, and the time of the settlement.
        var used: Int?
        var settledAt = Int.max

        /// Returns the units that count at a time: the reserved units until the settlement, then at most the used ones.
        func counts(at time: Int) -> Int { settledAt <= time ? min(units, used ?? units) : units }
    }

    struct Exchange {
        let instance: Int
        let sentAt: Int
        /// The time at which the store carried out the call.
        let time: Int
        /// The time at which the instance got the result.
        let heardAt: Int
        let isWritten: Bool
    }

    let number: Int
    let limit: Limit
    let identity: Identity
    let storeKey: String
    /// Whether only one caller uses the limit, with one request at a time and always at the same instance.
    let isExclusive: Bool
    var admissions: [Admission] = []
    /// The indices in `admissions`, in the order of settlement.
    var settlements: [Int] = []
    /// The reads and writes of the record for which instances got a response.
    var exchanges: [Exchange] = []
    /// The times at which the store lost the record.
    var losses: [Int] = []
    /// When an operator reset it, and when all instances had heard of that.
    var resets: [(time: Int, heardBy: Int)] = []
    /// Whether its callers always want more than the limit.
    var isSaturated = false
    var firstAsk: Int?

    init(_ number: Int, _ limit: Limit, _ identity: Identity, isExclusive: Bool) {
        self.number = number
        self.limit = limit
        self.identity = identity
        self.isExclusive = isExclusive
        storeKey = identity.storeKey(limit)
    }

    /// Sorts the events by time, because a stopped process reports late what it decided before.
    func sort() {
        admissions.sort { $0.time < $1.time }
        settlements = admissions.indices.filter { admissions[$0].settledAt < .max }
        settlements.sort { admissions[$0].settledAt < admissions[$1].settledAt }
        exchanges.sort { $0.time < $1.time }
    }

    /// The number of resets before an admission; nil: nobody can tell, as one came while it was decided.
    func resetsBefore(_ admission: Admission) -> Int? {
        let before = resets.count { $0.time <= admission.askedAt }
        return resets.count { $0.time <= admission.time } == before ? before : nil
    }

    /// The refused requests: the times of request and decision, and the units.
    var refusals: [(askedAt: Int, time: Int, units: Int)] = []

    /// Whether the limit counts running requests instead of a window.
    var isSlots: Bool { limit.quota.unit == .concurrent }
    var bound: Int { limit.quota.count }
    var window: Int { limit.layout.windowMicroseconds }
    var bucket: Int { window / limit.layout.perWindow }
}

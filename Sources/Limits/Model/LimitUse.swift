/// The use of one limit, as recorded in the store or in this process.
package struct LimitUse: Sendable {
    package let limit: Limit
    /// The number of used units, possibly more than the limit.
    package let used: Int
    /// The units in `used` that belong to open leases. Instances might not use all of these units.
    package let leased: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int
    package let isRecorded: Bool
    /// The random ids of the record, and of the lost record from which it was restored; empty if there is no record.
    var births: [UInt64] = []

    /// The number of units that are left; 0 if more than the limit was used.
    package var left: Int { max(0, limit.quota.count - used) }

    /// Returns the use that an instance knows in place of this one of the store, if the store has lost the instance's record
    /// and it is not put back yet.
    package func unlessLost(_ known: LimitUse) -> LimitUse {
        known.used > used && !known.births.isEmpty && Set(known.births).isDisjoint(with: births) ? known : self
    }
}

/// The use of one caller's budget, or of a budget of all callers together.
package struct BudgetUse: Sendable {
    /// The name of the limit's record, as `LimitCharge.record`.
    package let record: String
    package let limit: Limit
    /// The used units, without those that running requests hold.
    package let used: Int
    /// The percentage of the budget that is used; 100 if too little is left for a request.
    package let percent: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int
}

extension LimitCharge {
    /// The name of the record in which the limit counts the caller. It is the same in all instances.
    package var record: String { RecordKey(limit, identity).name }
}

/// The units that a request needs of one limit.
package struct LimitCharge: Sendable {
    package let limit: Limit
    package let identity: Identity
    /// The units without which the limit refuses the request.
    package let units: Int
    /// The units that the request reserves as far as they are free; at least `units`.
    package let wish: Int
    /// The units that the request reserves as far as they are half of what is free; at least `wish`.
    package let largeWish: Int

    /// - Parameters:
    ///   - wish: the units to reserve if they are free; nil for `units`.
    ///   - largeWish: the units to reserve if twice as many are free; nil for `wish`.
    package init(
        _ limit: Limit,
        _ identity: Identity,
        units: Int = 1,
        upTo wish: Int? = nil,
        ifHalfIsFree largeWish: Int? = nil
    ) {
        precondition(units >= 0)
        self.limit = limit
        self.identity = identity
        self.units = units
        self.wish = max(units, wish ?? units)
        self.largeWish = max(self.wish, largeWish ?? self.wish)
    }

    /// Returns a charge of the same limit for a running request. Rates reserve only what is free.
    package func drawing(_ least: Int, upTo wish: Int) -> LimitCharge {
        LimitCharge(limit, identity, units: limit.quota.isBudget ? least : 0, upTo: wish)
    }

    /// Returns the units to count: the wish, cut to the free units, but not below the minimum.
    func units(ofFree free: @autoclosure () -> Int) -> Int {
        guard largeWish > units else { return units }
        let free = free()
        return min(max(wish, min(largeWish, free / 2)), max(units, free))
    }
}

/// The state of one limit after a decision about a request.
package struct LimitStanding: Sendable {
    package let limit: Limit
    package let remaining: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int

    /// Whether the limit counts all callers together and is not used up.
    package var isOpenToAll: Bool { limit.kind == .total && remaining > 0 }

    /// Returns whether a smaller part of this limit is left. The caller's own limits come before those of all callers
    /// together that are not used up.
    func hasLess(than other: Self?) -> Bool {
        guard let other else { return true }
        if isOpenToAll != other.isOpenToAll { return !isOpenToAll }
        return Double(remaining) * Double(other.limit.quota.count) < Double(other.remaining) * Double(limit.quota.count)
    }

    func isTighter(than other: Self?) -> Bool {
        guard let other else { return true }
        if isOpenToAll != other.isOpenToAll { return !isOpenToAll }
        if remaining != other.remaining { return remaining < other.remaining }
        return resetMicroseconds > other.resetMicroseconds
    }
}

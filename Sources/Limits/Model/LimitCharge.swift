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

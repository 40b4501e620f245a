/// The units that a request needs of one limit.
package struct LimitCharge: Sendable {
    package let limit: Limit
    package let identity: Identity
    /// The units without which the limit refuses the request.
    package let units: Int
    /// The units that the request reserves as far as they are free; at least `units`.
    package let wish: Int

    /// Creates a charge.
    ///
    /// - Parameter wish: the units to reserve if they are free; nil for `units`.
    package init(_ limit: Limit, _ identity: Identity, units: Int = 1, upTo wish: Int? = nil) {
        precondition(units >= 0)
        self.limit = limit
        self.identity = identity
        self.units = units
        self.wish = max(units, wish ?? units)
    }
}

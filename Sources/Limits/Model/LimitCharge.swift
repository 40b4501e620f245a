/// The units that a request needs of one limit.
package struct LimitCharge: Sendable {
    package let limit: Limit
    package let identity: Identity
    package let units: Int

    package init(_ limit: Limit, _ identity: Identity, units: Int = 1) {
        precondition(units >= 0)
        self.limit = limit
        self.identity = identity
        self.units = units
    }
}

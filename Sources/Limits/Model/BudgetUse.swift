/// The use of one caller's budget, or of a budget of all callers together.
package struct BudgetUse: Sendable {
    /// The name of the limit's record, as `LimitCharge.record`.
    package let record: String
    package let limit: Limit
    /// The used units, without those that running requests of this instance hold.
    package let used: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int
}

extension LimitCharge {
    /// The name of the record in which the limit counts the caller. It is the same in all instances.
    package var record: String { RecordKey(limit, identity).name }
}

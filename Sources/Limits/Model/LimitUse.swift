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
    /// The used units, without those that running requests of this instance hold.
    package let used: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int
}

extension LimitCharge {
    /// The name of the record in which the limit counts the caller. It is the same in all instances.
    package var record: String { RecordKey(limit, identity).name }
}

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

    /// The number of units that are left; 0 if more than the limit was used.
    package var left: Int { max(0, limit.quota.count - used) }
}

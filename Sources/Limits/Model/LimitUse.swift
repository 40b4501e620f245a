/// The use of one limit, as recorded in the store, or in this process if there is no store.
package struct LimitUse: Sendable {
    package let limit: Limit
    /// The number of used units. It can exceed the limit, because calls can use more than they reserved.
    package let used: Int
    /// The units in `used` that belong to open leases. Instances might not use all of these units.
    package let leased: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int
    /// Whether there is a record of the use. There is none if nothing was used within the window, or if the store lost
    /// the record.
    package let isRecorded: Bool

    /// The number of units that are left; 0 if more than the limit was used.
    package var left: Int { max(0, limit.quota.count - used) }
}

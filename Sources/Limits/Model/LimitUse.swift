/// The use of one limit, as recorded in the store.
package struct LimitUse: Sendable {
    package let limit: Limit
    /// The units used. This may exceed the limit, because calls may use more than they reserved.
    package let used: Int
    /// The part of `used` that instances counted ahead of its use and may still give back.
    package let leased: Int
    /// The time in microseconds until all units counted now are free again.
    package let resetMicroseconds: Int
    /// Whether a record exists. False if nothing was counted within the window, or if the record was lost.
    package let isRecorded: Bool

    /// The units left; 0 if more than the limit was used.
    package var left: Int { max(0, limit.quota.count - used) }
}

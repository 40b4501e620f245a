/// The use of one limit as the store has it.
package struct LimitUse: Sendable {
    package let limit: Limit
    /// May be more than the limit has, by what calls used beyond their reservations.
    package let used: Int
    /// The part of `used` that instances have counted ahead of its use, and may give back.
    package let leased: Int
    /// Until all that is counted now has fallen free.
    package let resetMicroseconds: Int
    /// False: nothing was counted within the window, or the record was lost.
    package let isRecorded: Bool

    /// Units that are left, none where more than the limit was used.
    package var left: Int { max(0, limit.quota.count - used) }
}

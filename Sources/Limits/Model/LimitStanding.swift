/// The state of one limit after a decision about a request.
package struct LimitStanding: Sendable {
    package let limit: Limit
    package let remaining: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int

    /// Whether the limit counts all callers together and is not used up.
    package var isOpenToAll: Bool { limit.kind == .total && remaining > 0 }

    func isTighter(than other: Self?) -> Bool {
        guard let other else { return true }
        if isOpenToAll != other.isOpenToAll { return !isOpenToAll }
        if remaining != other.remaining { return remaining < other.remaining }
        return resetMicroseconds > other.resetMicroseconds
    }
}

/// The state of one limit after a decision about a request.
package struct LimitStanding: Sendable {
    package let limit: Limit
    package let remaining: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int

    /// Whether the limit counts all callers together and is not used up.
    package var isOpenToAll: Bool { limit.kind == .total && remaining > 0 }

    /// Returns whether a smaller part of this limit is left. The caller's own limits come before those of all callers
    /// together that are not used up.
    func hasLess(than other: Self?) -> Bool {
        guard let other else { return true }
        if isOpenToAll != other.isOpenToAll { return !isOpenToAll }
        return Double(remaining) * Double(other.limit.quota.count) < Double(other.remaining) * Double(limit.quota.count)
    }

    func isTighter(than other: Self?) -> Bool {
        guard let other else { return true }
        if isOpenToAll != other.isOpenToAll { return !isOpenToAll }
        if remaining != other.remaining { return remaining < other.remaining }
        return resetMicroseconds > other.resetMicroseconds
    }
}

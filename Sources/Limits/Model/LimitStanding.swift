/// The state of one limit after a decision about a request.
package struct LimitStanding: Sendable {
    package let limit: Limit
    package let remaining: Int
    /// The time in microseconds until all units that are counted now are free again.
    package let resetMicroseconds: Int

    package init(limit: Limit, remaining: Int, resetMicroseconds: Int) {
        self.limit = limit
        self.remaining = remaining
        self.resetMicroseconds = resetMicroseconds
    }
}

extension LimitStanding {
    func isTighter(than other: Self?) -> Bool {
        guard let other else { return true }
        if remaining != other.remaining { return remaining < other.remaining }
        return resetMicroseconds > other.resetMicroseconds
    }
}

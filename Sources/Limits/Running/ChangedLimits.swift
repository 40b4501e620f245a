import Engine

/// A waiting request whose limits are others under new settings.
package struct ChangedLimits: Sendable {
    let request: Pending
    /// The units that the request needs of each of its new limits.
    let charges: [LimitCharge]
    let loop: EventLoop

    /// Returns nil if the request does not wait. Call it on the request's event loop.
    package init?(_ wait: LoopWait, _ charges: [LimitCharge]) {
        guard let request = wait.request else { return nil }
        (self.request, self.charges, loop) = (request, charges, wait.loop)
    }
}

extension [LimitCharge] {
    /// Returns whether these are charges of the same limits, with the same numbers.
    package func haveLimits(of others: [LimitCharge]) -> Bool {
        elementsEqual(others) {
            RecordKey($0.limit, $0.identity) == RecordKey($1.limit, $1.identity)
                && $0.limit.quota.count == $1.limit.quota.count
        }
    }
}

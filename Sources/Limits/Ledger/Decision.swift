/// The decision about a request, and the state of its limits after the decision.
package struct Decision: Sendable {
    package enum Outcome: Sendable {
        case admitted
        case refused(Refusal)
        /// The request is denied, because the store is unavailable, and the settings say to deny requests then or this
        /// instance has no part of a limit that is not used up.
        case storeDown
        /// The request had to wait for its turn, but the process ends.
        case ending
    }

    package struct Refusal: Sendable {
        /// The limit that caused the refusal. Of several full limits, this is the limit that stays full longest.
        package let limit: Limit
        package let requested: Int
        /// The microseconds until a retry can succeed; nil if the request is larger than the whole limit.
        package internal(set) var retryAfterMicroseconds: Int?
        /// Whether running requests hold the units that are missing, and may give them back.
        package let isHeld: Bool
        /// The units that are free, but too few.
        package let remaining: Int

        package init(
            limit: Limit,
            requested: Int,
            retryAfterMicroseconds: Int?,
            isHeld: Bool = false,
            remaining: Int = 0
        ) {
            self.limit = limit
            self.requested = requested
            self.retryAfterMicroseconds = retryAfterMicroseconds
            self.isHeld = isHeld
            self.remaining = remaining
        }
    }

    package let outcome: Outcome
    /// The state of the limit with the fewest requests left; nil if no limit counts requests.
    package private(set) var requests: LimitStanding?
    /// The state of the limit with the fewest tokens left; nil if no limit counts tokens.
    package private(set) var tokens: LimitStanding?
    /// The state of the budget with the smallest part left; nil if no budget covers the request.
    package private(set) var budget: LimitStanding?
    /// The time for which the admitted request has waited for its turn, in microseconds.
    package internal(set) var waitedMicroseconds = 0
    /// The reserved units that the request holds until it ends.
    package internal(set) var held: [ReservedUnits] = []

    package init(_ outcome: Outcome) { self.outcome = outcome }

    package var isAdmitted: Bool { if case .admitted = outcome { true } else { false } }

    /// Whether the request is denied because limits cannot be checked.
    package var isUnchecked: Bool { if case .storeDown = outcome { true } else { false } }

    package var refusal: Refusal? { if case .refused(let refusal) = outcome { refusal } else { nil } }

    /// The milliseconds until a retry can succeed; nil after an admission, or if no retry can succeed.
    package var retryAfterMilliseconds: Int? {
        switch outcome {
        case .admitted: nil
        case .refused(let refusal): refusal.retryAfterMicroseconds.map { max(1, ($0 + 999) / 1_000) }
        case .storeDown, .ending: 1_000
        }
    }

    /// Stores a limit's state in `requests` or `tokens` if the limit has the fewest units left so far. Of limits with
    /// equally many, stores the one with the later reset. Prefers the caller's own limits to one of all callers together
    /// that is not used up. Ignores limits of other units.
    package mutating func record(_ standing: LimitStanding) {
        switch standing.limit.quota.unit {
        case .requests: if standing.isTighter(than: requests) { requests = standing }
        case .tokens: if standing.isTighter(than: tokens) { tokens = standing }
        case .images, .usd, .credits, .concurrent: break
        }
        if standing.limit.quota.isBudget, standing.hasLess(than: budget) { budget = standing }
    }
}

/// The units of one limit that a request holds until it ends.
package struct ReservedUnits: Sendable {
    let account: Account
    package let units: Int
    let bucket: BucketIndex
    /// The units of the limit that were free after the decision.
    package let free: Int

    package var limit: Limit { account.limit }
}

/// What a request asks of one limit.
package struct Want: Sendable {
    package let limit: Limit
    package let identity: Identity
    package let units: Int

    package init(_ limit: Limit, _ identity: Identity, units: Int = 1) {
        precondition(units >= 0)
        self.limit = limit
        self.identity = identity
        self.units = units
    }
}

/// What was decided about a request, and how its limits stand after it.
package struct Decision: Sendable {
    package enum Outcome: Sendable {
        case admitted
        case refused(Refusal)
        /// The store cannot be reached, and the settings say to refuse then.
        case storeDown
    }

    package struct Refusal: Sendable {
        /// Of the limits that have no room the one that frees last.
        package let limit: Limit
        package let requested: Int
        /// Nil: the request is too large for the limit.
        package let retryAfterMicroseconds: Int?

        package init(limit: Limit, requested: Int, retryAfterMicroseconds: Int?) {
            self.limit = limit
            self.requested = requested
            self.retryAfterMicroseconds = retryAfterMicroseconds
        }
    }

    package struct Standing: Sendable {
        package let limit: Limit
        package let remaining: Int
        /// Until all that is counted now has fallen free.
        package let resetMicroseconds: Int

        package init(limit: Limit, remaining: Int, resetMicroseconds: Int) {
            self.limit = limit
            self.remaining = remaining
            self.resetMicroseconds = resetMicroseconds
        }
    }

    package let outcome: Outcome
    /// The tightest limit of requests, and of tokens.
    package private(set) var requests: Standing?
    package private(set) var tokens: Standing?
    /// For the hold.
    var held: [HeldUnits] = []

    package init(_ outcome: Outcome) { self.outcome = outcome }

    package var isAdmitted: Bool { if case .admitted = outcome { true } else { false } }

    package var refusal: Refusal? { if case .refused(let refusal) = outcome { refusal } else { nil } }

    /// Takes it over if it is the tightest of its kind so far.
    package mutating func note(_ standing: Standing) {
        switch standing.limit.quota.unit {
        case .requests: if standing.isTighter(than: requests) { requests = standing }
        case .tokens: if standing.isTighter(than: tokens) { tokens = standing }
        case .images, .usd, .credits, .concurrent: break
        }
    }
}

extension Decision.Standing {
    fileprivate func isTighter(than other: Self?) -> Bool {
        guard let other else { return true }
        if remaining != other.remaining { return remaining < other.remaining }
        return resetMicroseconds > other.resetMicroseconds
    }
}

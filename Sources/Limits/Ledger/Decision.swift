/// The decision about a request, and the state of its limits after it.
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

    package let outcome: Outcome
    /// The tightest limit of requests, and of tokens.
    package private(set) var requests: LimitStanding?
    package private(set) var tokens: LimitStanding?
    /// For the hold.
    var held: [HeldUnits] = []

    package init(_ outcome: Outcome) { self.outcome = outcome }

    package var isAdmitted: Bool { if case .admitted = outcome { true } else { false } }

    package var refusal: Refusal? { if case .refused(let refusal) = outcome { refusal } else { nil } }

    /// Rounded up, so that who waits this long is not early; nil where waiting does not help, or nothing was refused.
    package var retryAfterMilliseconds: Int? {
        switch outcome {
        case .admitted: nil
        case .refused(let refusal): refusal.retryAfterMicroseconds.map { max(1, ($0 + 999) / 1_000) }
        case .storeDown: 1_000
        }
    }

    /// Takes it over if it is the tightest of its kind so far.
    package mutating func note(_ standing: LimitStanding) {
        switch standing.limit.quota.unit {
        case .requests: if standing.isTighter(than: requests) { requests = standing }
        case .tokens: if standing.isTighter(than: tokens) { tokens = standing }
        case .images, .usd, .credits, .concurrent: break
        }
    }
}

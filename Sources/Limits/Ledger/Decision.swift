/// The decision about a request, and the state of its limits after the decision.
package struct Decision: Sendable {
    package enum Outcome: Sendable {
        case admitted
        case refused(Refusal)
        /// The store is unavailable, and the settings say to deny requests then.
        case storeDown
    }

    package struct Refusal: Sendable {
        /// The limit that has no room; if several limits have no room, the limit that takes longest to become free.
        package let limit: Limit
        package let requested: Int
        /// The microseconds to wait; nil if the request is too large for the limit.
        package let retryAfterMicroseconds: Int?

        package init(limit: Limit, requested: Int, retryAfterMicroseconds: Int?) {
            self.limit = limit
            self.requested = requested
            self.retryAfterMicroseconds = retryAfterMicroseconds
        }
    }

    package let outcome: Outcome
    /// The states of the tightest request limit and of the tightest token limit; nil if there is none.
    package private(set) var requests: LimitStanding?
    package private(set) var tokens: LimitStanding?
    /// The units that the request holds until it ends.
    var held: [ReservedUnits] = []

    package init(_ outcome: Outcome) { self.outcome = outcome }

    package var isAdmitted: Bool { if case .admitted = outcome { true } else { false } }

    package var refusal: Refusal? { if case .refused(let refusal) = outcome { refusal } else { nil } }

    /// The milliseconds to wait, rounded up so that a retry is not early; nil if waiting does not help or nothing was
    /// refused.
    package var retryAfterMilliseconds: Int? {
        switch outcome {
        case .admitted: nil
        case .refused(let refusal): refusal.retryAfterMicroseconds.map { max(1, ($0 + 999) / 1_000) }
        case .storeDown: 1_000
        }
    }

    /// Keeps the state of a limit if it is the tightest of its unit so far.
    package mutating func record(_ standing: LimitStanding) {
        switch standing.limit.quota.unit {
        case .requests: if standing.isTighter(than: requests) { requests = standing }
        case .tokens: if standing.isTighter(than: tokens) { tokens = standing }
        case .images, .usd, .credits, .concurrent: break
        }
    }
}

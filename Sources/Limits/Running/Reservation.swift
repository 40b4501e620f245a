/// A reservation: a decision and, if it admitted the request, the reserved units of tokens, money and slots. Requests
/// stay counted whatever happens to the call.
package struct Reservation: ~Copyable, Sendable {
    package let decision: Decision
    private let limiter: Limiter
    private var used: Amounts?

    init(_ decision: Decision, _ limiter: Limiter) {
        self.decision = decision
        self.limiter = limiter
    }

    /// Whether any units are held.
    package var isOpen: Bool { !decision.held.isEmpty }

    /// Ends the reservation. For each unit the difference to the reserved amount is refunded or charged.
    package consuming func settle(used: Amounts) { self.used = used }

    /// Units that were not settled stay charged, because a vendor that failed may have billed them. Slots are always
    /// released.
    deinit {
        if isOpen { limiter.settle(decision.held, used) }
    }
}

extension Quota.Unit {
    /// Whether the unit is reserved before the call and settled after it.
    package var isKnownLate: Bool {
        switch self {
        case .tokens, .usd, .credits: true
        case .requests, .images, .concurrent: false
        }
    }

    /// Whether the unit is held until the request ends.
    var isHeld: Bool { isKnownLate || self == .concurrent }
}

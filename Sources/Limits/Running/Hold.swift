/// A decision, and where it admitted, the units held against limits of tokens and money until the use is known.
/// Requests are counted for good, whatever becomes of the call.
package struct Hold: ~Copyable, Sendable {
    package let decision: Decision
    private let limiter: Limiter
    private var used: Amounts?

    init(_ decision: Decision, _ limiter: Limiter) {
        self.decision = decision
        self.limiter = limiter
    }

    /// Something is held.
    package var isOpen: Bool { !decision.held.isEmpty }

    /// Ends the hold. Of each unit the difference to what was reserved is given back, or charged.
    package consuming func settle(used: Amounts) { self.used = used }

    /// Units that were not settled stay charged: a broken vendor may have billed them. Slots are free again in any
    /// case.
    deinit {
        if isOpen { limiter.settle(decision.held, used) }
    }
}

extension Quota.Unit {
    /// Reserved before the call, settled after it.
    package var isKnownLate: Bool {
        switch self {
        case .tokens, .usd, .credits: true
        case .requests, .images, .concurrent: false
        }
    }

    /// Held until the request has ended.
    var isHeld: Bool { isKnownLate || self == .concurrent }
}

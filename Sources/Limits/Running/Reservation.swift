/// The decision about a request and, if the request was admitted, its reserved units.
///
/// The request itself stays counted, even if its calls fail.
package struct Reservation: ~Copyable, Sendable {
    package private(set) var decision: Decision
    private let limiter: Limiter
    private var used: Amounts?

    init(_ decision: Decision, _ limiter: Limiter) {
        self.decision = decision
        self.limiter = limiter
    }

    /// Whether the reservation holds any units.
    package var isOpen: Bool { !decision.held.isEmpty }

    /// Adds the units of `draw` to this reservation, with which they are settled.
    package mutating func add(_ draw: consuming Reservation) {
        decision.held += draw.decision.held
        draw.decision.held = []
    }

    /// Ends the reservation and corrects the reserved units to the used units.
    package consuming func settle(used: Amounts) { self.used = used }

    /// Settles the reservation. If `settle` was not called, releases the slots; all other units stay charged.
    deinit { if isOpen { limiter.settle(decision.held, used) } }
}

extension Quota.Unit {
    /// Whether the used number of these units is known only after the call. Such units are reserved before the call and
    /// settled after it.
    package var isKnownLate: Bool {
        switch self {
        case .tokens, .usd, .credits: true
        case .requests, .images, .concurrent: false
        }
    }

    /// Whether a request holds units of this kind until the request ends. Images that no vendor made are given back.
    var isHeld: Bool { self != .requests }
}

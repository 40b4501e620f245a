/// The output that a running response may still use of the limits that cover it, in tokens.
///
/// A pure value, by which the relay and the simulation of limits decide alike.
package struct Allowance: Sendable, Equatable {
    package enum Step: Sendable, Equatable {
        case goOn
        /// Reserve so many further tokens.
        case draw(Int)
        /// End the response: its reservation is used, and nothing is free.
        case end
    }

    /// The tokens that the response has used: those that the relay counted or, if more, those that the vendor reported.
    package var counted: Int
    /// The tokens of output for which units are reserved.
    package var reserved: Int
    /// The tokens that the reservation pays besides if nothing is free: the prompt then counts at its usual price.
    package var spare = 0
    /// The tokens that are free beside the reservation; nil if not known.
    package var free: Int?
    /// The largest output that the vendor may make; nil if it is not bounded.
    package var bound: Int?
    /// The tokens that may still come after the decision to end: pieces that are on their way.
    package var onTheirWay = 0

    /// The least number of tokens that a draw asks for.
    package static let leastWish = 1_024
    /// The fewest tokens that are worth a draw.
    package static let leastDraw = 64

    package init(counted: Int = 0, reserved: Int, spare: Int = 0, free: Int? = nil, bound: Int? = nil) {
        self.counted = counted
        self.reserved = reserved
        self.spare = spare
        self.free = free
        self.bound = bound
    }

    package var step: Step {
        // The vendor itself ends at its bound, and all of that is reserved. A vendor that obeys is counted about right.
        if let bound, reserved >= bound { return counted <= bound + bound / 4 + Self.leastDraw ? .goOn : .end }
        if counted < drawsAt { return .goOn }
        let wish = min(max(reserved, Self.leastWish), (bound ?? .max) - reserved)
        let drawn = min(wish, free ?? wish)
        if drawn >= min(wish, Self.leastDraw) { return .draw(drawn) }
        return counted < endsAt ? .goOn : .end
    }

    /// The number of counted tokens at which the response asks for more: three quarters of the reservation.
    package var drawsAt: Int { reserved - reserved / 4 }

    /// The number of counted tokens at which the response ends if nothing is free.
    package var endsAt: Int { max(reserved + spare - onTheirWay, drawsAt) }
}

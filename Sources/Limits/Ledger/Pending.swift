/// A request that waits for the store.
///
/// `@unchecked`: used only while the ledger's lock is held.
final class Pending: @unchecked Sendable {
    enum State: Equatable {
        case unread
        /// The record was read after the request arrived.
        case seen
        case writing
        /// The units are counted.
        case claimed(BucketIndex)
        /// The units are counted, but too late to be used there. They must be moved.
        case late(BucketIndex)
        /// The part is decided without the store.
        case local
    }

    struct Share {
        let account: Account
        let units: Int
        var state: State

        var isTaken: Bool { if case .claimed = state { true } else { false } }
    }

    /// The parts of the request, in the order of their store keys.
    var parts: [Share]
    var unread: Int
    var decision: Decision?
    let waiter: any DecisionWaiter
    /// The steady times at which the request began to wait, and at which it last continued with another record.
    var begun: Int
    var movedAt: Int
    /// The steady time at which the request's timer fires next.
    var due: Int
    /// The number of late firings of the timer, and the steady time of the last one.
    var lateFirings = 0
    var lateAt: Int?

    init(_ parts: [Share], _ waiter: any DecisionWaiter, at steady: Int, timeoutMicroseconds: Int) {
        self.parts = parts
        self.waiter = waiter
        unread = parts.count { $0.state == .unread }
        begun = steady
        movedAt = steady
        due = steady + timeoutMicroseconds
    }

    /// The parts that the request waits for now.
    var open: [Int] {
        if unread > 0 { return parts.indices.filter { parts[$0].state == .unread } }
        return firstOpen.map { [$0] } ?? []
    }

    /// The first part that is to be counted in the store; nil if there is none.
    var firstOpen: Int? {
        parts.firstIndex {
            switch $0.state {
            case .unread, .seen, .writing, .late: true
            case .claimed, .local: false
            }
        }
    }
}

/// A receiver of a decision. It is called once, on any thread, without locks held.
protocol DecisionWaiter: AnyObject, Sendable {
    func decided(_ decision: Decision)
}

/// An event that an operator should know about.
package enum LimiterEvent: Sendable {
    case storeDown(server: String, reason: String)
    case storeBack(server: String, seconds: Int)
    /// A value in the store was not a valid record and is replaced.
    case brokenRecord(key: String, reason: String)
    /// A record was counted far ahead of all clocks and is moved back.
    case recordAhead(key: String)
    /// The correction of this machine's clock changed, because it differs from the clocks of the other instances. An
    /// instance that is alone compares its clock with the store's. 0 means that the clock is no longer corrected.
    case clockOff(milliseconds: Int)
    /// The store was never reached since the start, so other instances are unknown. Limits apply to this instance
    /// alone.
    case sharesAlone
    /// Other instances use a different `STORE_SECRET`, or none, and count callers separately.
    case otherSecret
}

/// The work to be done after the ledger's lock is released.
struct Outbox {
    var decided: [Pending] = []
    var lanes: [Int] = []
    var events: [LimiterEvent] = []
    /// Whether the store's clock was read, or is known to be unavailable.
    var isReady = false
}

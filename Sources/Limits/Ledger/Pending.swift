/// A request that waits for the store.
///
/// `@unchecked`: reached with the ledger's lock held only.
final class Pending: @unchecked Sendable {
    enum State: Equatable {
        case unread
        /// Read since the request came.
        case seen
        case writing
        /// Counted.
        case taken(Place)
        /// Counted, but too late to be used there: to be moved.
        case late(Place)
        /// To be decided without the store.
        case local
    }

    struct Share {
        let account: Account
        let units: Int
        var state: State

        var isTaken: Bool { if case .taken = state { true } else { false } }
    }

    /// In the order of their store keys.
    var parts: [Share]
    var unread: Int
    var decision: Decision?
    let waiter: any DecisionWaiter
    /// When it began to wait, and when it last went on to its next record (steady).
    var begun: Int
    var movedAt: Int
    /// When its timer fires next (steady).
    var due: Int
    /// The number of late firings of its timer, and the last time (steady).
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

    /// The parts that it waits for now.
    var open: [Int] {
        if unread > 0 { return parts.indices.filter { parts[$0].state == .unread } }
        return firstOpen.map { [$0] } ?? []
    }

    /// The first part that is to be counted in the store.
    var firstOpen: Int? {
        parts.firstIndex {
            switch $0.state {
            case .unread, .seen, .writing, .late: true
            case .taken, .local: false
            }
        }
    }
}

/// Told the decision, once, on any thread, without locks held.
protocol DecisionWaiter: AnyObject, Sendable {
    func decided(_ decision: Decision)
}

/// An event that an operator should know.
package enum LimiterEvent: Sendable {
    case storeDown(server: String, reason: String)
    case storeBack(server: String, seconds: Int)
    /// A value in the store was none of ours, and is replaced.
    case brokenRecord(key: String, reason: String)
    /// A record was counted far ahead of all clocks, and is moved back.
    case recordAhead(key: String)
    /// So much is taken off this machine's clock, which differs from those of the other instances, or alone from the
    /// store's; 0: nothing any more.
    case clockOff(milliseconds: Int)
    /// The store has not been reached since the start, so the others are not known: limits hold for this instance alone.
    case sharesAlone
    /// Other instances use another `STORE_SECRET`, or none, and count callers by themselves.
    case otherSecret
}

/// Work to be done after the lock is released.
struct Outbox {
    var decided: [Pending] = []
    var lanes: [Int] = []
    var events: [LimiterEvent] = []
    /// The store's clock was asked, or cannot be.
    var isReady = false
}

/// A request that waits for the store before it can be decided.
///
/// `@unchecked`: used only while the ledger's lock is held.
final class Pending: @unchecked Sendable {
    enum State: Equatable {
        case unread
        /// The record for this part (one limit of the request) was read after the request arrived, or is assumed to be
        /// unchanged.
        case seen
        case writing
        /// The units of this part (one limit of the request) are counted in the bucket.
        case claimed(BucketIndex)
        /// The units of this part (one limit of the request) are counted in the bucket, but too late to be used there.
        /// They must be moved to a later bucket.
        case late(BucketIndex)
        /// This part (one limit of the request) is decided without the store.
        case local
    }

    struct Share {
        let account: Account
        let units: Int
        var state: State

        var isTaken: Bool { if case .claimed = state { true } else { false } }
    }

    /// The parts of the request, one for each limit, in the order of their keys in the store.
    var parts: [Share]
    var unread: Int
    var decision: Decision?
    let waiter: any DecisionWaiter
    /// The monotonic time at which the request began to wait.
    var begun: Int
    /// The monotonic time at which the request last made progress, for example with its next record.
    var movedAt: Int
    /// The monotonic time at which the request's timer fires next.
    var due: Int
    /// The number of times that the request's timer fired late.
    var lateFirings = 0
    /// The monotonic time at which the request's timer last fired late; nil if it never did.
    var lateAt: Int?

    init(_ parts: [Share], _ waiter: any DecisionWaiter, at steady: Int, timeoutMicroseconds: Int) {
        self.parts = parts
        self.waiter = waiter
        unread = parts.count { $0.state == .unread }
        begun = steady
        movedAt = steady
        due = steady + timeoutMicroseconds
    }

    /// The indexes of the parts (limits of the request) that the request waits for now.
    var open: [Int] {
        if unread > 0 { return parts.indices.filter { parts[$0].state == .unread } }
        return firstOpen.map { [$0] } ?? []
    }

    /// The index of the first part (a limit of the request) that must still be counted in the store; nil if there is
    /// none.
    var firstOpen: Int? {
        parts.firstIndex {
            switch $0.state {
            case .unread, .seen, .writing, .late: true
            case .claimed, .local: false
            }
        }
    }
}

/// An object that waits for a decision. It gets the decision once, on any thread, without locks held.
protocol DecisionWaiter: AnyObject, Sendable {
    func decided(_ decision: Decision)
}

/// An event of the limits that an operator should know about.
package enum LimiterEvent: Sendable {
    case storeDown(server: String, reason: String)
    case storeBack(server: String, seconds: Int)
    /// A value in the store was not a valid record. The relay replaces it.
    case brokenRecord(key: String, reason: String)
    /// The newest bucket of a record in the store was far in the future, by this machine's clock and by the store's
    /// clock. The relay moves the record back.
    case recordAhead(key: String)
    /// The correction of this machine's clock changed. The clock differs from the clocks of the other instances, or
    /// from the store's clock if there are no other instances. 0 means that the clock is no longer corrected.
    case clockOff(milliseconds: Int)
    /// The store is unavailable and has not been reached since the start, so other instances are unknown. Limits apply
    /// to this instance alone.
    case sharesAlone
    /// Other instances use a different `STORE_SECRET`, or no secret. They count callers separately.
    case otherSecret
}

/// The work that the ledger leaves to be done after its lock is released.
struct Outbox {
    var decided: [Pending] = []
    var lanes: [Int] = []
    var events: [LimiterEvent] = []
    /// Whether the process need not wait any longer at its start: the store's clock was read, or the store is known to
    /// be unavailable.
    var isReady = false
}

/// A request that waits for the store before it can be decided.
///
/// `@unchecked`: used only while the ledger's lock is held.
final class Pending: @unchecked Sendable {
    enum State: Equatable {
        case unread
        /// The limit's record was read, or is assumed to be unchanged. The limit has not counted the request yet.
        case seen
        case writing
        /// The limit has counted the units of the request in this bucket.
        case claimed(BucketIndex)
        /// The limit has counted the request in a bucket that ended before the units could be used.
        case late(BucketIndex)
        /// The turn of the request has come. Its units are counted in this bucket, but the record must be read before they
        /// are used.
        case turn(BucketIndex)
        /// The limit is decided without the store, for example because the store is unavailable.
        case local

        /// Whether the limit's record must be read.
        var isUnread: Bool {
            switch self {
            case .unread, .turn: true
            case .seen, .writing, .claimed, .late, .local: false
            }
        }
    }

    struct Share {
        let account: Account
        private let charge: LimitCharge
        /// The units that the limit has counted for the request; `minimum` before that.
        var units: Int
        var state: State

        init(_ account: Account, _ charge: LimitCharge, _ state: State) {
            self.account = account
            self.state = state
            self.charge = charge
            units = charge.units
        }

        /// The units without which the limit refuses the request.
        var minimum: Int { charge.units }

        var isTaken: Bool { if case .claimed = state { true } else { false } }

        func units(ofFree free: @autoclosure () -> Int) -> Int { charge.units(ofFree: free()) }
    }

    /// A turn that limits still count while the request moves to an earlier one.
    struct FormerTurn {
        /// The wall-clock time of the turn.
        let time: Int
        /// The buckets of the turn in limits that count the earlier one already, each with the limit's index in `parts`.
        var buckets: [(index: Int, bucket: BucketIndex)] = []
    }

    /// The units that the request needs of each of its limits, in the order of the limits' store keys.
    var parts: [Share]
    var unread: Int
    var decision: Decision?
    /// The request's wait for a turn; nil if it must be decided at once.
    var wait: TurnWait?
    /// The turn that the request leaves for an earlier one, unless a limit has no room for that; nil if it does not move.
    var former: FormerTurn?
    /// The charges of the request's limits, in the order of the settings; empty if it must be decided at once.
    var charges: [LimitCharge] = []
    /// The same request with other limits, which took this one's place while it waited; nil if its limits are the first.
    var successor: Pending?
    let waiter: any DecisionWaiter
    /// The monotonic time at which the request began to wait, or at which its wait began anew after a late timer.
    var begun: Int
    /// The monotonic time at which the request last made progress, for example when a limit counted it.
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
        unread = parts.count { $0.state.isUnread }
        begun = steady
        movedAt = steady
        due = steady + timeoutMicroseconds
    }

    /// The request with its present limits.
    var current: Pending {
        var request = self
        while let next = request.successor { request = next }
        return request
    }

    /// Ends the request's sleep. From now on, the request must be counted in time.
    func resume(at steady: Int) {
        wait?.isAsleep = false
        (begun, movedAt, lateFirings, lateAt) = (steady, steady, 0, nil)
    }

    /// The indexes in `parts` of the limits that the request waits for now.
    var open: [Int] {
        if unread > 0 { return parts.indices.filter { parts[$0].state.isUnread } }
        return firstOpen.map { [$0] } ?? []
    }

    /// The index in `parts` of the first limit that must still count the request; nil if there is none. A request that may
    /// wait takes slots last, when its turn has come.
    var firstOpen: Int? {
        var slots: Int?
        for index in parts.indices {
            switch parts[index].state {
            case .claimed, .local: continue
            case .unread, .turn, .seen, .writing, .late: break
            }
            if wait == nil || !parts[index].account.isOfSlots { return index }
            slots = slots ?? index
        }
        return wait?.turnAt == nil ? slots : nil
    }
}

/// An object that waits for the decision about a request. `decided` is called once, on any thread, without locks held.
protocol DecisionWaiter: AnyObject, Sendable {
    func decided(_ decision: Decision)
    /// The request's timer must ask the ledger's `expire` for its next time. Called like `decided`.
    func retimed()
}

/// An event of the limits that an operator should know about.
package enum LimiterEvent: Sendable {
    /// A server of the store cannot be reached. Until it is back, `rule` decides.
    case storeDown(server: String, reason: String, rule: StoreDownRule)
    case storeBack(server: String, seconds: Int)
    /// A server of the store has lost its records. This instance writes back its copies.
    case recordsLost(server: String, copies: Int)
    /// A value in the store was not a valid record. The relay replaces it.
    case brokenRecord(key: String, reason: String)
    /// The newest bucket of a record in the store was far in the future.
    case recordAhead(key: String)
    /// The correction of this machine's clock changed. 0 means that the clock is no longer corrected.
    case clockOff(milliseconds: Int)
    /// The store has been unavailable since the start. This instance uses the whole of each limit.
    case sharesAlone
    /// The store was lost before the other instances had made room for this instance, which rejects all that limits
    /// cover until the store is back.
    case sharesNothing
    /// Another percentage of a budget in dollars or credits is used.
    case budgetUsed(BudgetUse)
    /// Other instances use a different `STORE_SECRET`, or no secret. They count callers separately.
    case otherSecret
}

/// The results that other code handles after the ledger's lock is released: decided requests, timers, lanes to wake, events.
struct Outbox {
    var decided: [Pending] = []
    /// The requests whose timer must fire at another time.
    var retimed: [Pending] = []
    var lanes: [Int] = []
    var events: [LimiterEvent] = []
    /// Whether a starting process can serve requests: the clock is verified, or the store is known to be unavailable.
    var isReady = false
    /// Whether a copy of a record must be read from the database.
    var areCopiesAsked = false
}

/// A queue of the accounts of a lane, ordered by the time at which the lane must work on them next.
struct DueQueue {
    private var heap: [(time: Int, account: Account)] = []

    var soonest: Int? { heap.first?.time }

    mutating func put(_ account: Account, at time: Int) {
        account.due = time
        heap.append((time, account))
        var index = heap.count - 1
        while index > 0, heap[index].time < heap[(index - 1) / 2].time {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Removes and returns the first account that is due by `time`; nil if no account is due.
    mutating func next(by time: Int) -> Account? {
        while let first = heap.first, first.time <= time {
            removeFirst()
            guard first.account.due == first.time else { continue }
            first.account.due = nil
            return first.account
        }
        return nil
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < heap.count && heap[child].time < heap[least].time {
                least = child
            }
            if least == index { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}

/// The longest time that a request may wait for its limits, and its caller.
package struct LimitPatience: Sendable {
    let microseconds: Int
    let caller: Identity

    /// - Parameter microseconds: the longest time that the request may wait, more than 0.
    package init(microseconds: Int, caller: Identity) {
        self.microseconds = microseconds
        self.caller = caller
    }

    /// A wait that makes refusals by limits per minute short enough for all clients, in microseconds.
    static let least = 1_000_000

    /// The patience of a request for which no place among the waiting ones is free: when it returns, one may be.
    var withoutPlace: LimitPatience { LimitPatience(microseconds: min(microseconds, Self.least), caller: caller) }
}

/// The wait of a request for its turn: the time at which all its limits have room for it.
struct TurnWait {
    var patience: LimitPatience
    /// The monotonic time at which the request came.
    let since: Int
    /// The monotonic time until which the request may wait.
    let until: Int
    /// The wall-clock time of the turn; nil if the request has none, or if the turn has come.
    var turnAt: Int?
    /// The wall-clock time at which the request began to wait for a slot; nil if it has not.
    var slotSince: Int?
    /// Whether the request waits for its turn, and all limits but slots have counted it, or for a slot, or behind turns of
    /// its caller.
    var isAsleep = false
    /// Whether the request waits behind turns of its caller, and may look for one of its own.
    var isCalled = false
    /// Whether the request waits for what running requests give back.
    var isForRunning = false
    /// Whether the request has waited for running requests, and is about to take what they gave back.
    var isRecalled = false
    /// Whether the request is one of the waiting requests, whose number has a bound.
    var isCounted = false
    /// Whether a record was above its limit when the turn came.
    var isOver = false
    /// The kind of the limit for which the request waits; nil if it has had no turn.
    var kind: Limit.Kind?
    /// The number of times that a limit moved the turn after another had counted it.
    var moves = 0
    /// The indexes in the request's `parts` of the limits of several callers in which it has a turn.
    var turns: [Int] = []

    init(_ patience: LimitPatience, at steady: Int) {
        self.patience = patience
        since = steady
        until = steady + patience.microseconds
    }

    /// The wait of the same request before any limit has counted it.
    var beginning: TurnWait {
        var wait = TurnWait(patience, at: since)
        (wait.slotSince, wait.kind) = (slotSince, kind)
        return wait
    }
}

/// The numbers of requests that wait for their turn.
struct WaitingRequests {
    private(set) var count = 0
    private var ofCallers: [Identity: Int] = [:]

    /// Returns whether another request of the caller can wait.
    func hasRoom(for caller: Identity, _ most: Int) -> Bool {
        count < most && ofCallers[caller, default: 0] < max(1, most / 2)
    }

    mutating func add(_ caller: Identity) {
        count += 1
        ofCallers[caller, default: 0] += 1
    }

    mutating func remove(_ caller: Identity) {
        count -= 1
        let rest = ofCallers[caller, default: 1] - 1
        ofCallers[caller] = rest > 0 ? rest : nil
    }
}

package enum TurnOutcome: Int, Sendable, CaseIterable {
    case used
    /// The client left.
    case left
    /// The record was above the limit when the turn came, so that the request got a later turn.
    case moved
    /// No turn was within the patience of the request.
    case refused
}

/// A histogram of waits for turns.
package struct TurnWaits: Sendable {
    /// The upper bounds of the histogram's buckets, in milliseconds.
    package static let boundsMilliseconds: [UInt64] = [100, 1_000, 5_000, 15_000, 30_000, 60_000, 120_000, 300_000]
    /// The number of waits in each bucket, then of those above all bounds, and the sum of the waits in nanoseconds.
    package private(set) var counts = [Int](repeating: 0, count: boundsMilliseconds.count + 2)

    mutating func record(_ microseconds: Int) {
        let bounds = Self.boundsMilliseconds
        counts[bounds.firstIndex { microseconds <= Int($0) * 1_000 } ?? bounds.count] += 1
        counts[bounds.count + 1] += microseconds * 1_000
    }
}

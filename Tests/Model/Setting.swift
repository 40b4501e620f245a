@testable import Limits

/// What one search goes through: who takes part, what they may ask, when, and what may go wrong how often.
package struct Setting: Sendable {
    package let name: String
    /// How far each instance's clock is ahead (microseconds).
    var clocks: [Int]
    /// Units per window, and of what; with more than one, a request counts in all of them.
    var quotas: [Quota]
    /// Buckets of a window, and of a record beyond that.
    var perWindow = 2
    var spareBuckets = 2
    /// For how long it runs, in buckets, and at which parts of a bucket things happen (microseconds after its start).
    var buckets: Int
    var offsets: [Int]
    var asks: Int
    /// How many requests may wait at the same time.
    var waiting = 2
    var rule = StoreDownRule.deny
    var timeoutMicroseconds: Int
    var slotMicroseconds = 3_600_000_000
    /// How long a call may be under way; nil: as long as it likes.
    var longestCall: Int?
    /// All instances have seen calls of that length before (microseconds).
    var seenCall: Int?
    /// In place of `buckets` and `offsets` (microseconds after the start).
    var moments: [Int] = []
    /// Between a read and its answer anything may happen.
    var splitsReads = false
    /// Calls without an answer; one that was not carried out by then may be later.
    var failures = 0
    /// Writes that are carried out once more later.
    var doubles = 0
    /// Losses of a record.
    var losses = 0
    var deaths = 0
    /// What held units may come to.
    var settlements: [Int] = []
    /// Units of a request.
    var units = 1

    init(
        _ name: String,
        clocks: [Int],
        _ quotas: [Quota],
        buckets: Int,
        offsets: [Int],
        asks: Int,
        timeoutMicroseconds: Int
    ) {
        self.name = name
        self.clocks = clocks
        self.quotas = quotas
        self.buckets = buckets
        self.offsets = offsets
        self.asks = asks
        self.timeoutMicroseconds = timeoutMicroseconds
    }

    /// A bucket's length; without windows what takes its place.
    var bucketMicroseconds: Int {
        let window = quotas.map(\.windowSeconds).max() ?? 0
        return window == 0 ? slotMicroseconds / 3 : window * 1_000_000 / perWindow
    }

    static let start = 1_800_000_000_000_000

    /// The moments at which things happen (microseconds since 1970).
    var times: [Int] {
        if !moments.isEmpty { return moments.map { Self.start + $0 } }
        return (0..<buckets).flatMap { bucket in offsets.map { Self.start + bucket * bucketMicroseconds + $0 } }
    }
}

/// A fault put in on purpose, which the search must find.
package enum Fault: String, CaseIterable, Sendable {
    /// Compare-and-swap writes over whatever is there.
    case plainWrite
    /// Records keep one bucket less.
    case bucketLess
    /// The ledger is told the time at which a call began when its answer comes.
    case lateAnswer
    /// A write without an answer is taken for one that lost its race.
    case unansweredRepeated
    /// All records have the same birth number, so that no loss is seen.
    case noJoin
    /// Holds end without being settled.
    case settleLost
    /// A bucket that has left the record counts no more, however late its units may have been used.
    case leftForgotten
}

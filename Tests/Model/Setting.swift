@testable import Limits

/// The bounds of one search: who takes part, which requests come when, and how often things may fail.
package struct Setting: Sendable {
    package let name: String
    /// The difference by which each instance's clock is ahead, in microseconds.
    var clocks: [Int]
    /// The limits. If there are several, a request counts in all of them.
    var quotas: [Quota]
    /// The number of buckets in a window, and of those that a record keeps beyond them.
    var perWindow = 2
    var spareBuckets = 2
    /// The length of the run in buckets, and the times in each bucket at which actions happen, in microseconds after
    /// its start.
    var buckets: Int
    var offsets: [Int]
    var asks: Int
    /// The most requests that may wait at the same time.
    var waiting = 2
    var rule = StoreDownRule.deny
    var timeoutMicroseconds: Int
    var slotMicroseconds = 3_600_000_000
    /// The longest duration of a call in microseconds; nil if it has no bound.
    var longestCall: Int?
    /// The duration of a call that all instances have seen before, in microseconds; nil if there was none.
    var seenCall: Int?
    /// The moments that replace `buckets` and `offsets`, in microseconds after the start; empty if they apply.
    var moments: [Int] = []
    /// Whether other actions may happen between a read and its response.
    var splitsReads = false
    /// The number of calls that may stay without a response. A call that was not carried out by then may be carried out
    /// later.
    var failures = 0
    /// The number of writes that may be carried out a second time later.
    var doubles = 0
    /// The number of losses of a record.
    var losses = 0
    var deaths = 0
    /// The possible actual uses of reserved units.
    var settlements: [Int] = []
    /// The units of a request.
    var units = 1
    /// The longest time that a request waits for its turn, in microseconds; 0 if none does.
    var patience = 0

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

    /// The length of a bucket; without windows, a third of the slot time.
    var bucketMicroseconds: Int {
        let window = quotas.map(\.windowSeconds).max() ?? 0
        return window == 0 ? slotMicroseconds / 3 : window * 1_000_000 / perWindow
    }

    static let start = 1_800_000_000_000_000

    /// The moments at which actions happen, in microseconds since 1970.
    var times: [Int] {
        if !moments.isEmpty { return moments.map { Self.start + $0 } }
        return (0..<buckets).flatMap { bucket in offsets.map { Self.start + bucket * bucketMicroseconds + $0 } }
    }
}

/// A fault put in on purpose, which the search must find.
package enum Fault: String, CaseIterable, Sendable {
    /// A compare-and-swap overwrites any value.
    case plainWrite
    /// Records keep one bucket less.
    case bucketLess
    /// The ledger gets the time at which a call began when its response arrives.
    case lateAnswer
    /// A write without a response is treated as a lost race.
    case unansweredRepeated
    /// All records have the same birth number, so that no loss is noticed.
    case noJoin
    /// Reservations end without being settled.
    case settleLost
    /// A bucket that has left the record no longer counts, however late its units may have been used.
    case leftForgotten
}

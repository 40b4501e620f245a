import Synchronization

/// A record of how long a loop's turns last. The loop writes the record, and any thread can read it.
package final class LoopPace: Sendable {
    private let begun = Atomic<UInt64>(0)
    /// The time at which the current turn began; `distantPast` while the loop waits for events.
    private let busySince = Atomic(LoopTime.distantPast)
    private let windowStart = Atomic(LoopTime.distantPast)
    private let longest = Atomic<UInt64>(0)
    /// The duration of the longest turn in the previous one-minute window, in nanoseconds.
    private let longestBefore = Atomic<UInt64>(0)

    /// The length of each window of time in which the longest turn is recorded.
    package static let windowNanoseconds: UInt64 = 60_000_000_000

    // MARK: The loop's thread

    func turnBegins(at now: LoopTime) {
        begun.store(begun.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        busySince.store(now, ordering: .relaxed)
    }

    /// Records the end of a turn. Returns the duration of the turn in nanoseconds.
    func turnEnds(at now: LoopTime) -> UInt64 {
        let start = busySince.load(ordering: .relaxed)
        busySince.store(.distantPast, ordering: .relaxed)
        let length = start == .distantPast ? 0 : now.nanoseconds(since: start)
        let age = now.nanoseconds(since: windowStart.load(ordering: .relaxed))
        if age >= Self.windowNanoseconds {
            let isNext = age < 2 * Self.windowNanoseconds
            longestBefore.store(isNext ? longest.load(ordering: .relaxed) : 0, ordering: .relaxed)
            longest.store(length, ordering: .relaxed)
            windowStart.store(now, ordering: .relaxed)
        } else if length > longest.load(ordering: .relaxed) {
            longest.store(length, ordering: .relaxed)
        }
        return length
    }

    // MARK: Any thread

    var turns: UInt64 { begun.load(ordering: .relaxed) }

    /// Returns the duration of the longest turn in the last one to two minutes, with the current turn.
    package func longestNanoseconds(at now: LoopTime) -> UInt64 {
        let age = now.nanoseconds(since: windowStart.load(ordering: .relaxed))
        var most: UInt64 = 0
        if age < 2 * Self.windowNanoseconds { most = longest.load(ordering: .relaxed) }
        if age < Self.windowNanoseconds { most = max(most, longestBefore.load(ordering: .relaxed)) }
        let start = busySince.load(ordering: .relaxed)
        return start == .distantPast ? most : max(most, now.nanoseconds(since: start))
    }
}

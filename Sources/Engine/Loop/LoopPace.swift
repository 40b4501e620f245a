import Synchronization

/// The durations of a loop's turns, which is how long everything else on it waits. The loop writes them, and any thread
/// may read them. Values that a reader combines may be one turn apart.
package final class LoopPace: Sendable {
    /// The number of turns that have begun.
    private let begun = Atomic<UInt64>(0)
    /// The time at which the current turn began; `distantPast` while the loop waits for events.
    private let busySince = Atomic(LoopTime.distantPast)
    private let windowStart = Atomic(LoopTime.distantPast)
    private let longest = Atomic<UInt64>(0)
    /// The longest turn of the previous window.
    private let longestBefore = Atomic<UInt64>(0)

    /// The length of a window. The longest turn of the current and the previous window is reported, so that several
    /// readers do not disturb each other.
    package static let windowNanoseconds: UInt64 = 60_000_000_000

    // MARK: The loop's thread

    func turnBegins(at now: LoopTime) {
        begun.store(begun.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        busySince.store(now, ordering: .relaxed)
    }

    /// Ends the turn. Returns its duration in nanoseconds.
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

    /// Returns the longest turn of the last one to two minutes, including the current turn.
    package func longestNanoseconds(at now: LoopTime) -> UInt64 {
        let age = now.nanoseconds(since: windowStart.load(ordering: .relaxed))
        var most: UInt64 = 0
        if age < 2 * Self.windowNanoseconds { most = longest.load(ordering: .relaxed) }
        if age < Self.windowNanoseconds { most = max(most, longestBefore.load(ordering: .relaxed)) }
        let start = busySince.load(ordering: .relaxed)
        return start == .distantPast ? most : max(most, now.nanoseconds(since: start))
    }
}

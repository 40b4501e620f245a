import Synchronization

/// The durations of a loop's iterations: everything else on it waits so long. Written by the loop, read from any
/// thread; what a reader sees of different values may be a turn apart.
package final class LoopPace: Sendable {
    /// Turns that have begun.
    private let begun = Atomic<UInt64>(0)
    /// The time at which the turn that runs now began; `distantPast` while the loop waits for events.
    private let busySince = Atomic(LoopTime.distantPast)
    private let windowStart = Atomic(LoopTime.distantPast)
    private let longest = Atomic<UInt64>(0)
    /// Of the window before.
    private let longestBefore = Atomic<UInt64>(0)

    /// The longest turn of this window and the last one is told, so that several readers do not disturb each other.
    package static let windowNanoseconds: UInt64 = 60_000_000_000

    // MARK: On the loop

    func turnBegins(at now: LoopTime) {
        begun.store(begun.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        busySince.store(now, ordering: .relaxed)
    }

    /// Returns how long it took.
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

    // MARK: From any thread

    var turns: UInt64 { begun.load(ordering: .relaxed) }

    /// The longest turn of the last one to two minutes, the one that runs included.
    package func longestNanoseconds(at now: LoopTime) -> UInt64 {
        let age = now.nanoseconds(since: windowStart.load(ordering: .relaxed))
        var most: UInt64 = 0
        if age < 2 * Self.windowNanoseconds { most = longest.load(ordering: .relaxed) }
        if age < Self.windowNanoseconds { most = max(most, longestBefore.load(ordering: .relaxed)) }
        let start = busySince.load(ordering: .relaxed)
        return start == .distantPast ? most : max(most, now.nanoseconds(since: start))
    }
}

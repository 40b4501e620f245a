import Glibc
package import Synchronization

/// A time of the monotonic clock that event loops use.
///
/// A difference that would be negative is 0, and a sum that would be too large is `distantFuture`.
package struct LoopTime: Comparable, Sendable {
    @usableFromInline let loopNanoseconds: UInt64

    /// Creates a time from nanoseconds, for test clocks.
    @inlinable package init(nanoseconds: UInt64) { loopNanoseconds = nanoseconds }

    /// Creates a time from microseconds of the monotonic clock. A negative number gives `distantPast`, and a too large
    /// number `distantFuture`.
    package init(microseconds: Int) { self = LoopTime.distantPast.adding(microseconds, nanosecondsEach: 1_000) }

    /// A time before every time of the clock.
    @inlinable package static var distantPast: LoopTime { LoopTime(nanoseconds: 0) }

    /// A time that never comes. As a deadline it means that there is no deadline.
    @inlinable package static var distantFuture: LoopTime { LoopTime(nanoseconds: .max) }

    /// Reads the clock. On a loop, use `EventLoop.now`, which needs no system call.
    package static func current() -> LoopTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return LoopTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// The time as a `timespec`, for C functions that use `CLOCK_MONOTONIC`.
    var systemTime: timespec {
        timespec(tv_sec: Int(loopNanoseconds / 1_000_000_000), tv_nsec: Int(loopNanoseconds % 1_000_000_000))
    }

    /// Returns the nanoseconds from `earlier` to this time; 0 if `earlier` is later.
    @inlinable package func nanoseconds(since earlier: LoopTime) -> UInt64 {
        loopNanoseconds > earlier.loopNanoseconds ? loopNanoseconds &- earlier.loopNanoseconds : 0
    }

    /// Returns the full milliseconds from `earlier` to this time; 0 if `earlier` is later.
    @inlinable package func milliseconds(since earlier: LoopTime) -> Int {
        Int(nanoseconds(since: earlier) / 1_000_000)
    }

    /// Returns the time that is `nanoseconds` after `time`; `distantFuture` if the sum is too large.
    @inlinable package static func + (time: LoopTime, nanoseconds: UInt64) -> LoopTime {
        let (sum, isTooLarge) = time.loopNanoseconds.addingReportingOverflow(nanoseconds)
        return isTooLarge ? .distantFuture : LoopTime(nanoseconds: sum)
    }

    /// Returns the time `seconds` later; this time if the number is negative, `distantFuture` if the sum is too large.
    package func adding(seconds: Int) -> LoopTime { adding(seconds, nanosecondsEach: 1_000_000_000) }

    /// Returns the time `milliseconds` later; this time if the number is negative, `distantFuture` if the sum is too
    /// large.
    package func adding(milliseconds: Int) -> LoopTime { adding(milliseconds, nanosecondsEach: 1_000_000) }

    private func adding(_ count: Int, nanosecondsEach unit: UInt64) -> LoopTime {
        let (nanoseconds, isTooLarge) = UInt64(clamping: count).multipliedReportingOverflow(by: unit)
        return isTooLarge ? .distantFuture : self + nanoseconds
    }

    /// Moves `time` forward by `nanoseconds`. If the sum is too large, sets it to `distantFuture`.
    @inlinable package static func += (time: inout LoopTime, nanoseconds: UInt64) { time = time + nanoseconds }

    @inlinable package static func < (left: LoopTime, right: LoopTime) -> Bool {
        left.loopNanoseconds < right.loopNanoseconds
    }
}

extension LoopTime: AtomicRepresentable {
    package typealias AtomicRepresentation = UInt64.AtomicRepresentation

    package static func encodeAtomicRepresentation(_ value: consuming LoopTime) -> AtomicRepresentation {
        UInt64.encodeAtomicRepresentation(value.loopNanoseconds)
    }

    package static func decodeAtomicRepresentation(_ storage: consuming AtomicRepresentation) -> LoopTime {
        LoopTime(nanoseconds: UInt64.decodeAtomicRepresentation(storage))
    }
}

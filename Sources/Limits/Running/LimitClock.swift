package import Engine
import Glibc

/// The clocks that limits go by, and the way to wait by them.
package struct LimitClock: Sendable {
    package let now: @Sendable () -> Moment
    /// Returns the deadline on the loops' clock for a steady moment of this clock. A thread that wakes up too early looks
    /// again.
    package let alarm: @Sendable (_ steady: Int) -> LoopTime

    package init(
        now: @escaping @Sendable () -> Moment,
        alarm: @escaping @Sendable (_ steady: Int) -> LoopTime = { LoopTime(microseconds: $0) }
    ) {
        self.now = now
        self.alarm = alarm
    }

    /// For counting alone: the wall clock as it was at the start, going on by a clock that nobody sets and that does not
    /// stop while the machine sleeps.
    package static func embedded() -> LimitClock {
        let start = microseconds(of: CLOCK_REALTIME) - microseconds(of: CLOCK_BOOTTIME)
        return LimitClock(now: {
            Moment(wall: start + microseconds(of: CLOCK_BOOTTIME), steady: microseconds(of: CLOCK_MONOTONIC))
        })
    }

    package static let system = LimitClock(now: {
        Moment(wall: microseconds(of: CLOCK_REALTIME), steady: microseconds(of: CLOCK_MONOTONIC))
    })
}

private func microseconds(of clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

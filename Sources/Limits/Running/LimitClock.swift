package import Engine
import Glibc

/// The wall clock and the monotonic clock that limits use, and the conversion of monotonic times for the event loops.
package struct LimitClock: Sendable {
    package let now: @Sendable () -> ClockReading
    /// The conversion of this clock's monotonic time to a deadline on the event loops' clock.
    package let alarm: @Sendable (_ steady: Int) -> LoopTime

    package init(
        now: @escaping @Sendable () -> ClockReading,
        alarm: @escaping @Sendable (_ steady: Int) -> LoopTime = { LoopTime(microseconds: $0) }
    ) {
        self.now = now
        self.alarm = alarm
    }

    /// Returns a clock for a relay without a store. This clock does not change when the machine's clock is set.
    package static func embedded() -> LimitClock {
        let start = microseconds(of: CLOCK_REALTIME) - microseconds(of: CLOCK_BOOTTIME)
        return LimitClock(now: {
            ClockReading(wall: start + microseconds(of: CLOCK_BOOTTIME), steady: microseconds(of: CLOCK_MONOTONIC))
        })
    }

    package static let system = LimitClock(now: {
        ClockReading(wall: microseconds(of: CLOCK_REALTIME), steady: microseconds(of: CLOCK_MONOTONIC))
    })
}

private func microseconds(of clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

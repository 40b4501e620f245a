import Glibc

/// One reading of both clocks, in microseconds.
package struct Moment: Sendable {
    /// Since 1970; records are kept by it.
    package var wall: Int
    /// Never set back; waits are measured by it.
    package var steady: Int

    package init(wall: Int, steady: Int) {
        self.wall = wall
        self.steady = steady
    }
}

package struct LimitClock: Sendable {
    package let now: @Sendable () -> Moment

    package init(now: @escaping @Sendable () -> Moment) { self.now = now }

    package static let system = LimitClock {
        Moment(wall: microseconds(of: CLOCK_REALTIME), steady: microseconds(of: CLOCK_MONOTONIC))
    }
}

private func microseconds(of clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

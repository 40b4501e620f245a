/// One reading of the wall clock and of the monotonic clock, in microseconds.
package struct ClockReading: Sendable {
    /// The wall-clock time in microseconds since 1970. It decides in which bucket of a record units count.
    package var wall: Int
    /// The monotonic time in microseconds, which is never set back. Waits are measured with it.
    package var steady: Int

    package init(wall: Int, steady: Int) {
        self.wall = wall
        self.steady = steady
    }
}

/// One reading of both clocks, in microseconds.
package struct ClockReading: Sendable {
    /// The wall-clock time since 1970, on which the buckets of records are based.
    package var wall: Int
    /// The steady time, which is never set back. Waits are measured by it.
    package var steady: Int

    package init(wall: Int, steady: Int) {
        self.wall = wall
        self.steady = steady
    }
}

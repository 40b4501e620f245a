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

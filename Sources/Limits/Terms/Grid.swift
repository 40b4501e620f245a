/// The buckets of a window: 120, or 60 if the window is under a minute. Times are wall-clock microseconds.
package struct Grid: Sendable, Hashable {
    package let windowMicroseconds: Int
    package let perWindow: Int
    /// The number of buckets that a record keeps.
    package let kept: Int

    /// `spareBuckets`: kept beyond the window's. One is for where in its bucket an interval begins, one for clocks up to
    /// a bucket apart; fewer are for showing that both are needed. `perWindow`: for tests that go through all states.
    package init(windowSeconds: Int, spareBuckets: Int = 2, perWindow: Int? = nil) {
        windowMicroseconds = max(1, windowSeconds) * 1_000_000
        self.perWindow = perWindow ?? (windowSeconds < 60 ? 60 : 120)
        kept = self.perWindow + spareBuckets
    }

    /// So long after their bucket's end units may still be used that are then counted in the present one.
    package var graceMicroseconds: Int { windowMicroseconds / 16 }

    package func bucket(at time: Int) -> Int {
        // The clock may be another machine's: the product fits whatever it says.
        min(max(0, time), Self.latestMicroseconds) * perWindow / windowMicroseconds
    }

    private static let latestMicroseconds = 1 << 55

    /// The first microsecond that belongs to the bucket.
    package func start(of bucket: Int) -> Int { (bucket * windowMicroseconds + perWindow - 1) / perWindow }

    /// The first microsecond after it.
    package func end(of bucket: Int) -> Int { start(of: bucket + 1) }
}

/// How a window is cut into buckets: 120 of them, of a window under a minute 60. Times are wall-clock microseconds.
package struct Grid: Sendable, Hashable {
    package let windowMicroseconds: Int
    package let perWindow: Int

    package init(windowSeconds: Int) {
        windowMicroseconds = max(1, windowSeconds) * 1_000_000
        perWindow = windowSeconds < 60 ? 60 : 120
    }

    /// One more than the window holds for where in its bucket an interval begins, and one for clocks up to a bucket
    /// apart.
    package var kept: Int { perWindow + 2 }

    package func bucket(at time: Int) -> Int { max(0, time) * perWindow / windowMicroseconds }

    /// The first microsecond that belongs to the bucket.
    package func start(of bucket: Int) -> Int { (bucket * windowMicroseconds + perWindow - 1) / perWindow }

    /// The first microsecond after it.
    package func end(of bucket: Int) -> Int { start(of: bucket + 1) }
}

/// The division of a window into buckets. Times are wall-clock microseconds.
package struct BucketLayout: Sendable, Hashable {
    package let windowMicroseconds: Int
    package let perWindow: Int
    /// The number of buckets that a record keeps: the buckets of a window plus the spare buckets.
    package let kept: Int

    /// Divides a window into buckets.
    /// - Parameters:
    ///   - spareBuckets: the number of buckets that a record keeps beyond those of a window.
    ///   - perWindow: the number of buckets in a window; nil for 120, or for 60 if the window is under a minute.
    package init(windowSeconds: Int, spareBuckets: Int = 2, perWindow: Int? = nil) {
        windowMicroseconds = max(1, windowSeconds) * 1_000_000
        self.perWindow = perWindow ?? (windowSeconds < 60 ? 60 : 120)
        kept = self.perWindow + spareBuckets
    }

    /// The time after a bucket's end in which a request can still use units of the bucket, in microseconds.
    package var graceMicroseconds: Int { windowMicroseconds / 16 }

    package func bucket(at time: Int) -> Int {
        // The time may come from another machine's clock: the bound keeps the product from overflowing.
        min(max(0, time), Self.latestMicroseconds) * perWindow / windowMicroseconds
    }

    private static let latestMicroseconds = 1 << 55

    /// Returns the first microsecond of the bucket with this number.
    package func start(of bucket: Int) -> Int { (bucket * windowMicroseconds + perWindow - 1) / perWindow }

    /// Returns the first microsecond after the bucket with this number.
    package func end(of bucket: Int) -> Int { start(of: bucket + 1) }
}

/// A day or month of the calendar in a time zone, which a limit counts.
package struct CalendarPeriod: Sendable {
    /// The name of the period and its zone in store keys, such as `2026-11.` and a digest of the zone.
    package let name: String
    /// The first instant after the period, in wall-clock microseconds.
    package let endMicroseconds: Int
    /// The length of the period in seconds; nil for that of the longest.
    let seconds: Int?
    /// The end of the period as text for readers: `1 December 2026, 00:00 (Europe/Berlin)`.
    package let endText: String
    private let now: (@Sendable () -> Int)?

    /// - Parameter now: returns the time of the machine's clock, in microseconds. The limits' own clock, which applies in
    ///   place of nil, differs from it after the machine's clock was set.
    package init(
        name: String,
        endMicroseconds: Int,
        seconds: Int? = nil,
        endText: String,
        now: (@Sendable () -> Int)? = nil
    ) {
        self.name = name
        self.seconds = seconds
        self.endMicroseconds = endMicroseconds
        self.endText = endText
        self.now = now
    }

    /// Returns the time until the period's end, in microseconds; 0 if it is over. `time` is that of the limits' clock.
    func leftMicroseconds(at time: Int) -> Int { max(0, endMicroseconds - (now?() ?? time)) }
}

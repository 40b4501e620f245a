/// A check of the rate at which a request body arrives. A body is too slow below 1 KB/s in the last 30 seconds.
struct BodyRateCheck {
    static let checkNanoseconds: UInt64 = 5_000_000_000
    private static let minBytes = 30_720
    /// The bytes that arrived between checks, for six intervals. A number stops at `minBytes`, because one such interval
    /// is enough.
    private var intervals = InlineArray<6, UInt16>(repeating: 0)
    private var since: LoopTime
    private var checks = 0

    init(since: LoopTime = .distantPast) { self.since = since }

    mutating func count(_ bytes: Int) {
        intervals[checks % 6] = UInt16(min(Int(intervals[checks % 6]) + bytes, Self.minBytes))
    }

    /// Returns whether the body is too slow. Call it every `checkNanoseconds` while the relay reads the body.
    /// Returns false if it is called earlier.
    mutating func isTooSlow(at now: LoopTime) -> Bool {
        guard now.nanoseconds(since: since) >= Self.checkNanoseconds else { return false }
        since = now
        checks += 1
        var sum = 0
        for index in intervals.indices { sum += Int(intervals[index]) }
        intervals[checks % 6] = 0
        return checks >= 6 && sum < Self.minBytes
    }
}

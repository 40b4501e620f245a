/// The check of a body's lowest rate: 1 KB/s over 30 seconds in which it is read, checked every 5 seconds.
struct BodyRateCheck {
    static let checkNanoseconds: UInt64 = 5_000_000_000
    private static let minBytes = 30_720
    private var slots = InlineArray<6, Int>(repeating: 0)
    private var since: LoopTime
    private var slot = 0
    private var checks = 0

    init(since: LoopTime = .distantPast) { self.since = since }

    mutating func count(_ bytes: Int, at now: LoopTime) { slots[slot] += bytes }

    /// Counts a check, and returns whether the body is too slow. Call it every `checkNanoseconds` while the body is
    /// read.
    mutating func isTooSlow(at now: LoopTime) -> Bool {
        guard now.nanoseconds(since: since) >= Self.checkNanoseconds else { return false }
        since = now
        checks += 1
        var sum = 0
        for index in 0..<6 { sum += slots[index] }
        slot = (slot + 1) % 6
        slots[slot] = 0
        return checks >= 6 && sum < Self.minBytes
    }
}

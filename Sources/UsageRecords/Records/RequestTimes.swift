import Shared

/// The durations of requests and their times to the first byte, each as a histogram of 24 buckets.
package struct RequestTimes: Sendable, Equatable {
    /// The 50th and the 95th percentile of times, in milliseconds.
    package struct Percentiles: Sendable, Equatable {
        package let p50: Int
        package let p95: Int
    }

    /// The number of requests in each bucket: 24 of durations, then 24 of times to the first byte.
    private(set) var counts = [Int](repeating: 0, count: RequestTimes.columns.count)

    /// The lowest time of each bucket but the first, in milliseconds.
    static let edges = [
        20, 50, 100, 150, 200, 300, 400, 600, 800, 1_200, 1_600, 2_400, 3_200, 4_800, 6_400, 9_600, 15_000, 20_000,
        30_000, 45_000, 60_000, 90_000, 180_000,
    ]
    static let buckets = edges.count + 1
    /// The columns of stored sums, in the order of `counts`.
    static let columns = ["duration", "first_byte"].flatMap { name in (0..<buckets).map { "\(name)_\($0)" } }

    /// Adds the times of a request, or subtracts them if `sign` is -1.
    mutating func add(_ record: UsageRecord, _ sign: Int) {
        counts[Self.bucket(of: record.durationMilliseconds)] &+= sign
        if let time = record.firstByteMilliseconds { counts[Self.buckets + Self.bucket(of: time)] &+= sign }
    }

    static func + (one: RequestTimes, other: RequestTimes) -> RequestTimes {
        var sum = one
        for index in sum.counts.indices { sum.counts[index] &+= other.counts[index] }
        return sum
    }

    private static func bucket(of milliseconds: Int) -> Int { edges.firstIndex { milliseconds < $0 } ?? edges.count }

    /// The percentiles of the durations; nil if there are no requests.
    package var durations: Percentiles? { Self.percentiles(counts[..<Self.buckets]) }
    /// The percentiles of the times to the first byte; nil if no request had a response.
    package var firstBytes: Percentiles? { Self.percentiles(counts[Self.buckets...]) }

    private static func percentiles(_ counts: ArraySlice<Int>) -> Percentiles? {
        let sum = counts.reduce(0, &+)
        guard sum > 0 else { return nil }
        return Percentiles(p50: time(of: 0.5 * Double(sum), counts), p95: time(of: 0.95 * Double(sum), counts))
    }

    /// Returns the time that as many requests as `rank` did not exceed, if those of a bucket are evenly distributed.
    private static func time(of rank: Double, _ counts: ArraySlice<Int>) -> Int {
        var below = 0.0
        for (bucket, count) in counts.enumerated() where count > 0 {
            guard below + Double(count) < rank else {
                let low = bucket == 0 ? 0 : edges[bucket - 1]
                // The last bucket has no upper edge.
                let high = bucket < edges.count ? edges[bucket] : low
                return low + Int(Double(high - low) * (rank - below) / Double(count))
            }
            below += Double(count)
        }
        return edges[edges.count - 1]
    }
}

extension RequestTimes {
    /// Reads the counts from the columns of a database row, from index `first`; nil if the row lacks them.
    init?(_ row: some UsageRow, at first: Int) {
        guard row.number(at: first) != nil else { return nil }
        for index in counts.indices { counts[index] = row.number(at: first + index) ?? 0 }
    }
}

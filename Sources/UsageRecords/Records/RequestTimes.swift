package import Shared

/// The durations of requests and their times to the first byte, each as a histogram of 24 buckets.
package struct RequestTimes: Sendable, Equatable {
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
    package var durations: Percentiles? { Percentiles(counts[..<Self.buckets], Self.times) }
    /// The percentiles of the times to the first byte; nil if no request had a response.
    package var firstBytes: Percentiles? { Percentiles(counts[Self.buckets...], Self.times) }

    private static let times = Buckets(milliseconds: edges.map { UInt64($0) })
}

extension RequestTimes {
    /// Reads the counts from the columns of a database row, from index `first`; nil if the row lacks them.
    init?(_ row: some UsageRow, at first: Int) {
        guard row.number(at: first) != nil else { return nil }
        for index in counts.indices { counts[index] = row.number(at: first + index) ?? 0 }
    }
}

/// The bucket limits of a histogram.
package struct Buckets: Sendable {
    /// The upper limits of the buckets, inclusive. One more bucket follows, for values above the last limit.
    package let edges: [UInt64]
    /// Whether the values are times in nanoseconds, which the metrics show in seconds.
    let areTimes: Bool

    package var count: Int { edges.count + 1 }

    package func bucket(of value: UInt64) -> Int {
        var bucket = 0
        while bucket < edges.count, value > edges[bucket] { bucket += 1 }
        return bucket
    }

    package init(milliseconds edges: [UInt64]) {
        self.edges = edges.map { $0 * 1_000_000 }
        areTimes = true
    }

    private init(numbers edges: [UInt64]) {
        self.edges = edges
        areTimes = false
    }

    package static let requests = Buckets(milliseconds: [
        5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000,
    ])

    // The following edges are those of OpenTelemetry's conventions for generative AI.

    /// The buckets for the durations of requests that use a model. Each limit is twice the previous one.
    static let operations = Buckets(milliseconds: (0..<14).map { 10 << $0 })

    static let firstTokens = Buckets(milliseconds: [
        1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000,
    ])

    /// The buckets for token counts. The limits are powers of four.
    static let tokens = Buckets(numbers: (0..<14).map { 1 << (2 * $0) })
}

/// The counters of several histograms, one histogram for each value of a metrics label. A histogram has a counter for
/// each bucket, and then the sum of its values.
struct HistogramCells: Sendable {
    let buckets: Buckets
    private let cells: Cells

    init(_ buckets: Buckets, labels: Int) {
        self.buckets = buckets
        cells = Cells(count: labels * (buckets.count + 1))
    }

    /// Adds a measured value to the histogram with the index `label`. Call it on the thread that writes the cells.
    func add(_ value: UInt64, at label: Int) {
        let first = label * (buckets.count + 1)
        cells.add(1, at: first + buckets.bucket(of: value))
        cells.add(Int(truncatingIfNeeded: value), at: first + buckets.count)
    }

    /// Adds the counters of the histogram with the index `label` to the elements of `sums`: its bucket counts, then its
    /// sum.
    func read(_ label: Int, into sums: inout [Int]) {
        let first = label * (buckets.count + 1)
        for index in sums.indices { sums[index] &+= cells[first + index] }
    }
}

/// The 50th and the 95th percentile of times, in milliseconds.
package struct Percentiles: Sendable, Equatable {
    package let p50: Int
    package let p95: Int

    /// Estimates percentiles from the count of each bucket; nil if all counts are 0. The buckets must be for times.
    package init?(_ counts: some Collection<Int>, _ buckets: Buckets) {
        let sum = counts.reduce(0, &+)
        guard sum > 0 else { return nil }
        func value(_ part: Double) -> Int {
            let rank = part * Double(sum)
            var below = 0.0
            for (bucket, count) in counts.enumerated() where count > 0 {
                if below + Double(count) >= rank {
                    let low = bucket == 0 ? 0 : Double(buckets.edges[bucket - 1])
                    // The last bucket has no upper edge.
                    let high = bucket < buckets.edges.count ? Double(buckets.edges[bucket]) : low
                    return Int((low + (high - low) * (rank - below) / Double(count)) / 1_000_000)
                }
                below += Double(count)
            }
            return Int(Double(buckets.edges.last ?? 0) / 1_000_000)
        }
        (p50, p95) = (value(0.5), value(0.95))
    }
}

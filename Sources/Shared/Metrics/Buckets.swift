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

    init(milliseconds edges: [UInt64]) {
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

/// The buckets of times.
package enum Latency {
    /// Upper edges, each part of its bucket; a last bucket has what is longer.
    package static let edges: [UInt64] = [
        5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000,
        2_500_000_000, 5_000_000_000, 10_000_000_000, 30_000_000_000, 60_000_000_000, 120_000_000_000,
        300_000_000_000,
    ]

    package static let buckets = edges.count + 1

    package static func bucket(nanoseconds: UInt64) -> Int {
        var bucket = 0
        while bucket < edges.count, nanoseconds > edges[bucket] { bucket += 1 }
        return bucket
    }
}

/// Times by some label's number: for each its buckets, then the sum.
struct LatencyCells: Sendable {
    private let cells: Cells

    init(labels: Int) { cells = Cells(count: labels * (Latency.buckets + 1)) }

    /// On the writing thread.
    func add(nanoseconds: UInt64, at label: Int) {
        let first = label * (Latency.buckets + 1)
        cells.add(1, at: first + Latency.bucket(nanoseconds: nanoseconds))
        cells.add(Int(truncatingIfNeeded: nanoseconds), at: first + Latency.buckets)
    }

    /// The buckets, and the sum in nanoseconds.
    func read(_ label: Int) -> ArraySlice<Int> {
        let first = label * (Latency.buckets + 1)
        return (first...first + Latency.buckets).map { cells[$0] }[...]
    }
}

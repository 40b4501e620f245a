extension Metrics {
    /// The number of requests that ended since the start, over all loops.
    package var endedRequests: Int {
        (0..<SeriesNumbers.limit).reduce(0) { sum, index in
            loops.reduce(sum) { $0 &+ $1.requests[index] }
        }
    }
}

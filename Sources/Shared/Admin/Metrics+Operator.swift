extension Metrics {
    /// The requests that are over, since the start.
    package var endedRequests: Int {
        (0..<SeriesNumbers.limit).reduce(0) { sum, index in
            loops.reduce(sum) { $0 &+ $1.requests[index] }
        }
    }
}

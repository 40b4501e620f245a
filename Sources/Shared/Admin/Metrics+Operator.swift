extension Metrics {
    /// The number of requests that have ended since the start of the process, on all event loops.
    package var endedRequests: Int {
        (0..<SeriesNumbers.limit).reduce(0) { sum, index in
            loops.reduce(sum) { $0 &+ $1.requests[index] }
        }
    }
}

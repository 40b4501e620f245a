extension Metrics {
    /// The number of requests that have ended since the start of the process, on all event loops. Requests of the
    /// relay's own pages are left out.
    package var endedRequests: Int {
        (0..<SeriesNumbers.limit).reduce(-gauge(.endedRequestsOfPages)) { sum, index in
            loops.reduce(sum) { $0 &+ $1.requests[index] }
        }
    }
}

/// The sums and durations of the newest requests that match a filter.
package struct RecordFigures: Sendable {
    package private(set) var sums = UsageFigures()
    /// The number of requests that a provider or the relay failed to serve (5xx).
    package private(set) var failures = 0
    /// The number of requests that a limit refused (429).
    package private(set) var refusals = 0
    /// The duration within which half of the requests ended, in milliseconds; nil if there are no requests.
    package let p50Milliseconds: Int?
    /// The duration within which 95 % of the requests ended, in milliseconds; nil if there are no requests.
    package let p95Milliseconds: Int?
    /// The time from the end of the oldest request to the end of the newest one, in milliseconds.
    package let spanMilliseconds: Int
    /// Whether older requests match the filter, too.
    package let isCut: Bool
    /// Whether the search's time limit passed before all records were searched.
    package let isPartial: Bool

    init(_ page: RecordPage) {
        let requests = page.records.map(\.request)
        let durations = requests.map(\.durationMilliseconds).sorted()
        p50Milliseconds = durations.percentile(50)
        p95Milliseconds = durations.percentile(95)
        let times = requests.map(\.timeMilliseconds)
        spanMilliseconds = (times.max() ?? 0) - (times.min() ?? 0)
        isCut = page.total > requests.count || page.isTotalBound
        isPartial = page.isPartial
        for request in requests {
            var figures = UsageFigures()
            figures.requests = 1
            figures.failed = request.isSuccess ? 0 : 1
            figures.promptTokens = request.promptTokens
            figures.completionTokens = request.completionTokens
            figures.cost = request.cost.map { Int128($0.millionths) }
            figures.unpriced = request.isUnpriced ? 1 : 0
            sums += figures
            failures += request.isFailure ? 1 : 0
            refusals += request.isRefusal ? 1 : 0
        }
    }
}

extension [Int] {
    /// Returns the smallest element that is not below `percent` percent of the elements; nil if the array is empty.
    ///
    /// The array must be sorted.
    fileprivate func percentile(_ percent: Int) -> Int? { isEmpty ? nil : self[(count * percent + 99) / 100 - 1] }
}

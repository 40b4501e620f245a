/// The sums and durations of the newest requests that match a filter.
package struct RecordFigures: Sendable {
    package private(set) var sums = UsageFigures()
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
        for request in requests { sums.add(request) }
    }
}

extension [Int] {
    /// Returns the smallest element that is not below `percent` percent of the elements; nil if the array is empty.
    ///
    /// The array must be sorted.
    fileprivate func percentile(_ percent: Int) -> Int? { isEmpty ? nil : self[(count * percent + 99) / 100 - 1] }
}

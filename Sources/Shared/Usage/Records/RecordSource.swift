import Engine

/// A store whose usage records can be read. Its functions may block; only the thread of a `RecordReader` calls them.
protocol RecordSource: AnyObject, Sendable {
    /// Returns one page of the records that match a query. The search stops at the time `end`, even if incomplete.
    func page(_ query: RecordQuery, until end: LoopTime) throws(UsageFailure) -> RecordPage

    /// Returns the records of a request and its upstream calls; nil if no request has this id.
    func request(_ id: RecordID, until end: LoopTime) throws(UsageFailure) -> StoredRequest?

    /// Returns the sums for a query. If the time `end` passes first, `isPartial` may be true.
    func table(_ query: UsageQuery, until end: LoopTime) throws(UsageFailure) -> UsageTable

    /// Counts the requests that ended in each minute since a time, and adds the counts to `minutes`. The first element
    /// is for the minute of the start time.
    /// - Returns: false if the time `end` passed before all requests were counted.
    func count(
        since startMilliseconds: Int,
        into minutes: inout [UsageOverview.Minute],
        until end: LoopTime
    ) throws(UsageFailure) -> Bool

    /// Returns the sums of a timeline's steps, with the step instead of the day in each key, and whether the sums may
    /// lack records.
    func timeline(
        _ plan: TimelinePlan,
        until end: LoopTime
    ) throws(UsageFailure) -> (rows: [(key: SumKey, sum: UsageSum)], isPartial: Bool)
}

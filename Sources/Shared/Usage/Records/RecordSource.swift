import Engine

/// A store whose usage records can be read. Its functions may block, since only the thread of a `RecordReader` calls
/// them.
protocol RecordSource: AnyObject, Sendable {
    /// Returns the page of records for a query. If the time `end` passes during the search, the page contains the
    /// records found so far.
    func page(_ query: RecordQuery, until end: LoopTime) throws(UsageFailure) -> RecordPage

    /// Returns the record of a request and the records of its upstream calls. Returns nil if no request has this id.
    func request(_ id: RecordID, until end: LoopTime) throws(UsageFailure) -> StoredRequest?

    /// Returns the sums for a query. If the time `end` passes first, the result can be incomplete and has `isPartial`
    /// set.
    func table(_ query: UsageQuery, until end: LoopTime) throws(UsageFailure) -> UsageTable

    /// Counts the requests that ended since a time. Each request is added to the element of `minutes` for the minute in
    /// which it ended. The first element is for the minute of the start time.
    ///
    /// - Returns: false if the time `end` passed before all requests were counted.
    func count(
        since startMilliseconds: Int,
        into minutes: inout [UsageOverview.Minute],
        until end: LoopTime
    ) throws(UsageFailure) -> Bool
}

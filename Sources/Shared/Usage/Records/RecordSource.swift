import Engine

/// A store whose records can be read. It is used by the thread of a `RecordReader` only, so it may block.
protocol RecordSource: AnyObject, Sendable {
    /// Returns the page of matching records; if the time ends first, a page of the records found so far.
    func page(_ query: RecordQuery, until end: LoopTime) throws(UsageFailure) -> RecordPage

    /// Returns the record of a request and those of its calls; nil if there is none with this id.
    func request(_ id: RecordID, until end: LoopTime) throws(UsageFailure) -> StoredRequest?

    /// Returns the sums of records; if the time ends first, the sums computed so far.
    func table(_ query: UsageQuery, until end: LoopTime) throws(UsageFailure) -> UsageTable

    /// Adds the requests that ended since a time to `minutes`, whose first minute contains that time.
    ///
    /// - Returns: false if the time ended before all requests were counted.
    func count(
        since startMilliseconds: Int,
        into minutes: inout [UsageOverview.Minute],
        until end: LoopTime
    ) throws(UsageFailure) -> Bool
}

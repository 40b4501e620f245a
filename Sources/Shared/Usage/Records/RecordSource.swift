import Engine

/// A place whose kept records can be read. Used by the thread of a `RecordReader` only, so that it may block.
protocol RecordSource: AnyObject, Sendable {
    /// Returns the records that match; those found so far when the time is over.
    func page(_ query: RecordQuery, until end: LoopTime) throws(UsageFailure) -> RecordPage

    /// Returns the record of a request and those of its calls; nil if there is none of that id.
    func request(_ id: RecordID, until end: LoopTime) throws(UsageFailure) -> StoredRequest?

    /// Returns sums of records; those made so far when the time is over.
    func table(_ query: UsageQuery, until end: LoopTime) throws(UsageFailure) -> UsageTable

    /// Adds the requests that ended since a time to `minutes`, which has the minutes from that time on.
    ///
    /// - Returns: false if the time was over before.
    func count(
        since startMilliseconds: Int,
        into minutes: inout [UsageOverview.Minute],
        until end: LoopTime
    ) throws(UsageFailure) -> Bool
}

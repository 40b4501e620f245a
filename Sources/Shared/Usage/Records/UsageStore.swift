/// A store of usage records: a file or a database. It is used by the thread of its `UsageQueue` only, so it may block.
package protocol UsageStore: AnyObject, Sendable {
    /// Writes the first records, as many as it can at once.
    ///
    /// - Parameter records: the records to write, at least one.
    /// - Returns: the number of records that were written, at least one.
    /// - Throws: if no record was written. The same records are passed again later.
    func write(_ records: ArraySlice<UsageRecord>) throws(UsageFailure) -> Int

    /// Reopens the file or connection, since the file may have been moved.
    func reopen()

    /// Does some background work, for a few milliseconds.
    ///
    /// - Returns: the milliseconds until there is more work; nil if there never is any.
    func advance() -> Int?

    /// Closes the store. Nothing is written after that.
    func end()
}

extension UsageStore {
    package func end() {}

    package func advance() -> Int? { nil }
}

/// The reason why records were not written, for the log. It contains no secret.
package struct UsageFailure: Error {
    package let cause: String

    package init(_ cause: String) { self.cause = cause }
}

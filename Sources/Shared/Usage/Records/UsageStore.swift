/// A store of usage records: a file, a database or memory. Its functions may block, since only the thread of its
/// `UsageQueue` calls them.
package protocol UsageStore: AnyObject, Sendable {
    /// Writes one or more requests, starting with the first one.
    ///
    /// - Parameter requests: the requests to write, at least one.
    /// - Returns: the number of requests that were written, at least one.
    /// - Throws: a failure if no request was written; the queue then passes the same requests again later.
    func write(_ requests: ArraySlice<FinishedRequest>) throws(UsageFailure) -> Int

    /// Closes the file or connection and opens it again. It is called because the file may have been moved.
    func reopen()

    /// Does some background work of the store, such as deleting old records, for a few milliseconds.
    ///
    /// - Returns: the time until there is more work, in milliseconds; nil if the store has no background work.
    func advance() -> Int?

    /// Closes the store. No records are written to it afterwards.
    func end()
}

extension UsageStore {
    package func end() {}

    package func advance() -> Int? { nil }
}

/// The reason why usage records could not be written or read, for the log. It contains no secret.
package struct UsageFailure: Error {
    package let cause: String

    package init(_ cause: String) { self.cause = cause }
}

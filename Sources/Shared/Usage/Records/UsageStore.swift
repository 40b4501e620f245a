/// A store of usage records. Its functions may block; only the thread of its `UsageQueue` calls them.
package protocol UsageStore: AnyObject, Sendable {
    /// Writes one or more requests, starting with the first one.
    /// - Returns: the number of requests that were written, at least one.
    /// - Throws: a failure if no request was written.
    func write(_ requests: ArraySlice<FinishedRequest>) throws(UsageFailure) -> Int

    /// Closes and reopens the file or connection, since the file may have been moved.
    func reopen()

    /// Does background work for a few milliseconds. Returns the time until there is more work, in milliseconds; nil if
    /// the store has none.
    func advance() -> Int?

    /// Closes the store. No records are written to it afterwards.
    func end()
}

extension UsageStore {
    package func end() {}

    package func advance() -> Int? { nil }
}

/// The reason why usage records could not be written or read, for the log, without secrets.
package struct UsageFailure: Error {
    package let cause: String

    package init(_ cause: String) { self.cause = cause }
}

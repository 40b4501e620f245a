/// A place where usage records are kept: a file, a database. Used by the thread of its `UsageQueue` only, so that it may
/// block.
package protocol UsageStore: AnyObject, Sendable {
    /// Writes the first of the records, as many as it takes at once.
    ///
    /// - Parameter records: at least one.
    /// - Returns: the number of those that were written, at least one.
    /// - Throws: if none was. The same records are brought again later.
    func write(_ records: ArraySlice<UsageRecord>) throws(UsageFailure) -> Int

    /// Others may have moved what it writes to.
    func reopen()

    /// Does some of the work that no request waits for, for a few milliseconds.
    ///
    /// - Returns: the milliseconds after which there is more of it; nil if there never is.
    func advance() -> Int?

    /// Closes what is open. Nothing is written after that.
    func end()
}

extension UsageStore {
    package func end() {}

    package func advance() -> Int? { nil }
}

/// The cause why records were not written, for the log: no secret.
package struct UsageFailure: Error {
    package let cause: String

    package init(_ cause: String) { self.cause = cause }
}

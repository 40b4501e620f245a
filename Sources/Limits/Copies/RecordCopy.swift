/// A copy of a record of the store, as a database keeps it.
package struct RecordCopy: Sendable {
    /// The record's key in the store, which hides the caller.
    package let key: String
    /// The random id of the record, which differs after the store has lost it.
    package let birth: UInt64
    /// The number of the version of the record in the store. Of two copies of one birth, the one with the larger number is newer.
    package let version: UInt64
    /// The time of the record's change, in milliseconds since 1970. Of two copies of different births, the later one is
    /// newer.
    package let milliseconds: Int
    /// The seconds after the change for which the copy is needed.
    package let expirySeconds: Int
    package let record: [UInt8]

    package init(
        key: String,
        birth: UInt64,
        version: UInt64,
        milliseconds: Int = 0,
        expirySeconds: Int = 0,
        record: [UInt8]
    ) {
        self.key = key
        self.birth = birth
        self.version = version
        self.milliseconds = milliseconds
        self.expirySeconds = expirySeconds
        self.record = record
    }
}

/// A database of copies of limits' records. Its functions block, and are called on one thread at a time.
package protocol RecordCopies: Sendable {
    /// Returns the saved copies of the records with these keys. Throws if the database cannot be used.
    func read(_ keys: [String]) throws(StoreFailure) -> [RecordCopy]

    /// Saves copies, unless the database has newer ones. Throws if the database cannot be used.
    func save(_ copies: [RecordCopy]) throws(StoreFailure)
}

/// Small values that all instances share: read many, compare-and-swap one, add one if absent, and the servers' clock.
/// A key is ASCII without spaces and control characters, at most 250 long, and holds no secret.
package protocol CounterStore: Sendable {
    /// `host:port`, or what else tells an operator which server is meant. At least one.
    var servers: [String] { get }

    /// The place of the server that keeps the key: the same in all instances with the same list.
    func server(of key: String) -> Int

    /// Blocks. The connection is used by one thread, and thrown away after any failure.
    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection
}

/// All calls block, each for a bounded time unless a name is looked up. After one has thrown, the outcome of a write is
/// unknown, and neither the connection nor a version read through it may be used again.
package protocol CounterConnection: AnyObject {
    /// In the order of the keys; nil where there is none.
    func read(_ keys: [String]) throws(StoreFailure) -> [StoredValue?]

    /// Writes over the value that has this version, and over no other.
    func replace(
        _ key: String,
        _ value: [UInt8],
        version: StoredValue.Version,
        expirySeconds: Int
    ) throws(StoreFailure) -> WriteResult

    /// Writes if there is nothing.
    func add(_ key: String, _ value: [UInt8], expirySeconds: Int) throws(StoreFailure) -> WriteResult

    /// The server's clock in seconds since 1970.
    func time() throws(StoreFailure) -> Int
}

package struct StoredValue: Sendable {
    package let bytes: [UInt8]
    package let version: Version

    /// Good for the connection it was read through only: a server that has started anew may give the same numbers to
    /// other values.
    package struct Version: Sendable {
        let number: UInt64
        let connection: UInt64
    }
}

package enum WriteResult: Sendable, Equatable {
    case written
    /// Somebody else was faster; nothing was written.
    case lost
    /// This value was not taken, out of memory for example; others may be.
    case refused(reason: String)
}

/// The server cannot be reached, or does not answer as it should.
package struct StoreFailure: Error, Sendable {
    package let reason: String

    package init(reason: String) { self.reason = reason }
}

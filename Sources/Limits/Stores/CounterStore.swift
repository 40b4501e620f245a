import Engine

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

/// A connection that can be watched by a loop, so that a call need not block. Not while another call is under way.
package protocol PolledConnection: CounterConnection {
    /// To be watched for what arrives, and while something `isSending` for room as well.
    var descriptor: Int32 { get }
    var isSending: Bool { get }

    /// Sends as much as there is room for. Returns an answer that needs no asking.
    func begin(_ call: PolledCall) throws(StoreFailure) -> PolledAnswer?

    /// Sends the rest and takes what has arrived; nil: that is not all yet. Throws as well if nothing was asked for.
    func proceed() throws(StoreFailure) -> PolledAnswer?
}

/// The calls of `CounterConnection`.
package enum PolledCall: Sendable {
    case read([String])
    /// Not all or nothing: each by itself. The keys are read after all of them.
    case write([StoreWrite], thenRead: [String])
    case time
}

package struct StoreWrite: Sendable {
    let key: String
    let value: [UInt8]
    /// Nil: an addition.
    let version: StoredValue.Version?
    let expirySeconds: Int
}

package enum PolledAnswer: Sendable {
    case values([StoredValue?])
    case wrote([WriteResult], [StoredValue?])
    case time(Int)
}

package struct StoredValue: Sendable {
    package let bytes: [UInt8]
    package let version: Version

    /// Good for the connection it was read through only: a server that has started anew may give the same numbers to
    /// other values.
    package struct Version: Sendable, Equatable {
        let number: UInt64
        let connection: UInt64
    }
}

package enum WriteResult: Sendable, Equatable {
    /// With the version that the value has now.
    case written(StoredValue.Version)
    /// Somebody else was faster; nothing was written.
    case lost
    /// This value was not taken, out of memory for example; others may be.
    case refused(reason: String)

    package var isWritten: Bool { if case .written = self { true } else { false } }
}

/// The server cannot be reached, or does not answer as it should.
package struct StoreFailure: Error, Sendable {
    package let reason: String

    static let late = StoreFailure(reason: SocketFailure.late.reason)

    package init(reason: String) { self.reason = reason }
}

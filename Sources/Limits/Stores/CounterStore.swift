import Engine

/// A store of small values that all instances share. It can read many values, compare-and-swap one, add one if absent,
/// and read its servers' clocks. A key is ASCII without spaces and control characters, at most 250 bytes long, and
/// contains no secret.
package protocol CounterStore: Sendable {
    /// The servers as `host:port`, or as another name that an operator recognises. There is at least one.
    var servers: [String] { get }

    /// Returns the index of the server that has the key. It is the same in all instances with the same server list.
    func server(of key: String) -> Int

    /// Opens a connection to a server. Blocks. Use the connection on one thread, and drop it after any failure.
    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection
}

/// A connection to one server. All calls block, each for a bounded time unless a name is looked up. After a call has
/// thrown, the outcome of a write is unknown, and neither the connection nor a version read through it may be used
/// again.
package protocol CounterConnection: AnyObject {
    /// Returns the values in the order of the keys; nil for each absent one.
    func read(_ keys: [String]) throws(StoreFailure) -> [StoredValue?]

    /// Replaces the value if it still has this version.
    func replace(
        _ key: String,
        _ value: [UInt8],
        version: StoredValue.Version,
        expirySeconds: Int
    ) throws(StoreFailure) -> WriteResult

    /// Adds the value if the key is absent.
    func add(_ key: String, _ value: [UInt8], expirySeconds: Int) throws(StoreFailure) -> WriteResult

    /// Returns the server's clock in seconds since 1970.
    func time() throws(StoreFailure) -> Int
}

/// A connection that an event loop can watch, so that calls need not block. It makes one call at a time.
package protocol PolledConnection: CounterConnection {
    /// The file descriptor to watch: for received data always, and for space to send while `isSending`.
    var descriptor: Int32 { get }
    var isSending: Bool { get }

    /// Begins a call and sends as much as the socket accepts. Returns the result if no response is needed; nil
    /// otherwise.
    func begin(_ call: PolledCall) throws(StoreFailure) -> PolledResult?

    /// Sends the rest of a call and reads what has arrived. Returns the result; nil if it is not complete. Throws if
    /// data arrives that no call requested.
    func proceed() throws(StoreFailure) -> PolledResult?
}

/// The calls of `CounterConnection` as values.
package enum PolledCall: Sendable {
    case read([String])
    /// Writes each value independently of the others, then reads the keys.
    case write([StoreWrite], thenRead: [String])
    case time
}

package struct StoreWrite: Sendable {
    let key: String
    let value: [UInt8]
    /// The version to replace; nil adds a new value.
    let version: StoredValue.Version?
    let expirySeconds: Int
}

package enum PolledResult: Sendable {
    case values([StoredValue?])
    case wrote([WriteResult], [StoredValue?])
    case time(Int)
}

package struct StoredValue: Sendable {
    package let bytes: [UInt8]
    package let version: Version

    /// The version of a value. It is valid only for the connection through which it was read: a restarted server may
    /// give the same numbers to other values.
    package struct Version: Sendable, Equatable {
        let number: UInt64
        let connection: UInt64
    }
}

package enum WriteResult: Sendable, Equatable {
    /// The value was written and now has this version.
    case written(StoredValue.Version)
    /// Another write came first, so nothing was written.
    case lost
    /// The store refused this value, for lack of memory for example. It may accept others.
    case refused(reason: String)

    package var isWritten: Bool { if case .written = self { true } else { false } }
}

/// The server cannot be reached, or did not respond as it should.
package struct StoreFailure: Error, Sendable {
    package let reason: String

    static let late = StoreFailure(reason: SocketFailure.late.reason)

    package init(reason: String) { self.reason = reason }
}

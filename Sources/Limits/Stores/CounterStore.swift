import Engine

/// A store of small values that all instances share.
///
/// A key is ASCII without spaces and control characters. It has at most 250 bytes and contains no secret.
package protocol CounterStore: Sendable {
    /// The names of the store's servers, such as `host:port`. There is at least one server.
    var servers: [String] { get }

    /// Returns the index of the key's server. All instances with the same list of servers get the same index.
    func server(of key: String) -> Int

    /// Opens a connection to a server. Blocks. Use the connection on one thread, and drop it after any failure.
    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection
}

/// A connection to one server of the store. All calls block for a limited time.
///
/// If a call throws, the outcome of its writes is unknown. Then drop the connection and all versions that were read
/// through it.
package protocol CounterConnection: AnyObject {
    /// Returns the values of the keys, in the same order; nil for each key that is absent.
    func read(_ keys: [String]) throws(StoreFailure) -> [StoredValue?]

    func write(_ write: StoreWrite) throws(StoreFailure) -> WriteResult

    func status() throws(StoreFailure) -> StoreState
}

/// The clock and the life of one server of the store.
package struct StoreState: Sendable {
    /// The time by the server's clock, in seconds since 1970.
    package let seconds: Int
    /// The start of the server's process by its own clock, in seconds since 1970; nil if the server does not report it.
    package var startedAt: Int?
    /// Numbers that differ after the server has lost all values: after a restart or a flush.
    var life: [Int] = []
}

/// A connection that an event loop can watch. The connection makes one call at a time.
package protocol PolledConnection: CounterConnection {
    /// The file descriptor to watch: for received data, and for sending while `isSending` is true.
    var descriptor: Int32 { get }
    var isSending: Bool { get }

    /// Begins a call and sends what the socket accepts. Returns the result; nil if the call must wait for a response.
    func begin(_ call: PolledCall) throws(StoreFailure) -> PolledResult?

    /// Sends and receives more of the current call. Returns the result; nil if the response is not complete yet. Throws
    /// if data arrives that no call requested.
    func proceed() throws(StoreFailure) -> PolledResult?
}

/// A call to make on a connection to the store: a read, a series of writes, or a reading of the server's state.
package enum PolledCall: Sendable {
    case read([String])
    /// Writes each value independently of the others, then reads the keys.
    case write([StoreWrite], thenRead: [String])
    case state
}

package struct StoreWrite: Sendable {
    package let key: String
    package let value: [UInt8]
    /// The version of the value to replace; nil to add a new value.
    package let version: StoredValue.Version?
    package let expirySeconds: Int
    /// The number by which a later read recognizes the value of this write; 0 if nobody needs to.
    package var mark: UInt32 = 0
}

package enum PolledResult: Sendable {
    case values([StoredValue?])
    case wrote([WriteResult], [StoredValue?])
    case state(StoreState)
}

package struct StoredValue: Sendable {
    package let bytes: [UInt8]
    package let version: Version
    /// The mark of the write of this value.
    package var mark: UInt32 = 0

    /// The version of a value in the store, valid only on the connection that returned the version.
    package struct Version: Sendable, Equatable {
        let number: UInt64
        let connection: UInt64
    }
}

package enum WriteResult: Sendable, Equatable {
    case written(StoredValue.Version)
    /// Nothing was written, because another write came first, or because the value is gone.
    case lost
    /// The store refused this value, for example for lack of memory. It can accept other values.
    case refused(reason: String)

    package var isWritten: Bool { if case .written = self { true } else { false } }
}

/// A failure of the store: a server cannot be reached, or its response is not valid.
package struct StoreFailure: Error, Sendable {
    package let reason: String

    static let late = StoreFailure(reason: SocketFailure.late.reason)

    package init(reason: String) { self.reason = reason }
}

/// A store that has one of several possible addresses. New connections try these addresses in order until one responds.
/// From then on, all connections use that address.
package final class DiscoveredCounterStore: CounterStore {
    package let servers: [String]
    private let stores: [any CounterStore]
    private let found = Lock<Int?>(nil)

    /// - Parameter stores: stores of one server each, in the order in which they are tried.
    package init(_ stores: [any CounterStore]) {
        precondition(!stores.isEmpty && stores.allSatisfy { $0.servers.count == 1 })
        self.stores = stores
        servers = [stores.map { $0.servers[0] }.joined(separator: " or ")]
    }

    package func server(of key: String) -> Int { 0 }

    package func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        if let index = found.withLock({ $0 }) { return try stores[index].connect(to: 0) }
        var reasons: [String] = []
        for (index, store) in stores.enumerated() {
            let connection: any CounterConnection
            do throws(StoreFailure) {
                connection = try store.connect(to: 0)
            } catch {
                reasons.append("\(store.servers[0]): \(error.reason)")
                continue
            }
            // Another thread may have found another store meanwhile, and all threads must use the same.
            let chosen = found.withLock { found in
                found = found ?? index
                return found ?? index
            }
            return chosen == index ? connection : try stores[chosen].connect(to: 0)
        }
        throw StoreFailure(reason: reasons.joined(separator: "; "))
    }
}

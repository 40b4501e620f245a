import CMemcached
import Engine
import Glibc
import Synchronization

/// Memcached servers, each key on one of them by a fixed ketama ring: no server is ever taken out of it.
package final class MemcachedCounters: CounterStore {
    package let servers: [String]
    private let addresses: [MemcachedAddress]
    private let timeoutMilliseconds: Int
    private let ring: Lock<Ring>

    /// `timeoutMilliseconds`: of each wait for a server.
    package init(_ addresses: [MemcachedAddress], timeoutMilliseconds: Int) throws(StoreFailure) {
        precondition(!addresses.isEmpty)
        self.addresses = addresses
        self.timeoutMilliseconds = timeoutMilliseconds
        servers = addresses.map(\.text)
        ring = Lock(Ring(try MemcachedHandle.open(addresses, timeoutMilliseconds: timeoutMilliseconds)))
    }

    package func server(of key: String) -> Int {
        addresses.count == 1 ? 0 : ring.withLock { $0.handle.server(of: key) }
    }

    package func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        let handle = try MemcachedHandle.open([addresses[server]], timeoutMilliseconds: timeoutMilliseconds)
        return try MemcachedConnection(handle)
    }
}

/// Never connected: only tells which server has a key.
private final class Ring {
    let handle: MemcachedHandle

    init(_ handle: consuming MemcachedHandle) { self.handle = handle }
}

/// A connection to one server.
private final class MemcachedConnection: CounterConnection {
    private let handle: MemcachedHandle
    private let id: UInt64
    /// The difference by which the server's clock is ahead of ours.
    private let offsetSeconds: Int
    private static let lastID = Atomic<UInt64>(0)
    /// From here on memcached takes a number of seconds for a date.
    private static let longestSpanSeconds = 30 * 86_400

    init(_ handle: consuming MemcachedHandle) throws(StoreFailure) {
        let serverTime = try handle.time()
        self.handle = handle
        id = Self.lastID.add(1, ordering: .relaxed).newValue
        offsetSeconds = serverTime - Glibc.time(nil)
    }

    func read(_ keys: [String]) throws(StoreFailure) -> [StoredValue?] {
        var values = [StoredValue?](repeating: nil, count: keys.count)
        try handle.read(keys) { (place, bytes, number) in
            values[place] = StoredValue(bytes: bytes, version: .init(number: number, connection: id))
        }
        return values
    }

    func replace(
        _ key: String,
        _ value: [UInt8],
        version: StoredValue.Version,
        expirySeconds: Int
    ) throws(StoreFailure) -> WriteResult {
        // A compare-and-swap with the number 0 would overwrite whatever is there.
        guard version.connection == id, version.number != 0 else { return .lost }
        return try handle.replace(key, value, number: version.number, expiry: expiry(expirySeconds))
    }

    func add(_ key: String, _ value: [UInt8], expirySeconds: Int) throws(StoreFailure) -> WriteResult {
        try handle.add(key, value, expiry: expiry(expirySeconds))
    }

    func time() throws(StoreFailure) -> Int { try handle.time() }

    private func expiry(_ seconds: Int) -> Int {
        seconds < Self.longestSpanSeconds ? seconds : Glibc.time(nil) + offsetSeconds + seconds
    }
}

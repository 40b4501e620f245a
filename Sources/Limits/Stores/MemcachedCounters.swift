import Engine

/// A store of memcached servers. A fixed ketama ring (consistent hashing) selects each key's server. A server that
/// fails stays in the ring.
package final class MemcachedCounters: CounterStore {
    package let servers: [String]
    private let addresses: [MemcachedAddress]
    private let timeoutMilliseconds: Int
    private let ring: Lock<MemcachedRing>

    /// - Parameter timeoutMilliseconds: the time-out of each wait for a server.
    package init(_ addresses: [MemcachedAddress], timeoutMilliseconds: Int) throws(StoreFailure) {
        precondition(!addresses.isEmpty)
        self.addresses = addresses
        self.timeoutMilliseconds = timeoutMilliseconds
        servers = addresses.map(\.text)
        ring = Lock(try MemcachedRing(addresses))
    }

    package func server(of key: String) -> Int { addresses.count == 1 ? 0 : ring.withLock { $0.server(of: key) } }

    package func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        try MemcachedConnection(addresses[server], timeoutMilliseconds: timeoutMilliseconds)
    }
}

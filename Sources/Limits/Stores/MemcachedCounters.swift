import CMemcached
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

/// The mapping from keys to servers, by weighted ketama (consistent hashing) as in libmemcached. Use it on one thread
/// at a time.
final class MemcachedRing {
    private let handle: UnsafeMutablePointer<memcached_st>

    init(_ addresses: [MemcachedAddress]) throws(StoreFailure) {
        guard let handle = memcached_create(nil) else { throw StoreFailure(reason: "out of memory") }
        self.handle = handle
        // Without the binary protocol, libmemcached would compute other points of the ring.
        for behavior in [MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED] {
            try Self.check(relay_memcached_set(handle, behavior, 1))
        }
        for address in addresses {
            try Self.check(relay_memcached_add_server(handle, address.host, address.port))
        }
    }

    deinit { memcached_free(handle) }

    private static func check(_ code: Int32) throws(StoreFailure) {
        if code != 0 { throw StoreFailure(reason: "code \(code)") }
    }

    func server(of key: String) -> Int {
        var key = key
        return Int(
            key.withUTF8 { bytes in
                let characters = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
                return memcached_generate_hash(handle, characters, bytes.count)
            }
        )
    }
}

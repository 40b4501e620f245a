package import Limits

extension MemcachedCounters {
    /// Creates the store that keeps the limits' counters in memcached. Returns nil if this process counts limits in its
    /// own memory. Does not wait for a connection.
    package static func store(_ settings: LimitSettings) throws(StoreFailure) -> (any CounterStore)? {
        let timeout = max(1, settings.storeTimeout.milliseconds)
        switch settings.store {
        case .memory: return nil
        case .servers(let addresses): return try MemcachedCounters(addresses, timeoutMilliseconds: timeout)
        case .search(let port):
            var stores: [any CounterStore] = []
            for address in MemcachedAddress.searched(port) {
                stores.append(try MemcachedCounters([address], timeoutMilliseconds: timeout))
            }
            return DiscoveredCounterStore(stores)
        }
    }
}

extension MemcachedAddress {
    /// Returns the addresses that `MEMCACHED_HOST=auto` tries, in order.
    static func searched(_ port: UInt16) -> [MemcachedAddress] {
        ["127.0.0.1", "memcached"].map { MemcachedAddress(host: $0, port: port) }
    }
}

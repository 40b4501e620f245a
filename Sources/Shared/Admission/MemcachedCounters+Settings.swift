package import Limits

extension MemcachedCounters {
    /// The store that the settings name; nil: each process counts for itself. Nothing blocks, and one that is away is no
    /// error.
    package static func store(_ settings: LimitSettings) throws(StoreFailure) -> (any CounterStore)? {
        let timeout = max(1, settings.storeTimeout.milliseconds)
        switch settings.store {
        case .memory: return nil
        case .servers(let addresses): return try MemcachedCounters(addresses, timeoutMilliseconds: timeout)
        case .search(let port):
            var places: [any CounterStore] = []
            for address in MemcachedAddress.searched(port) {
                places.append(try MemcachedCounters([address], timeoutMilliseconds: timeout))
            }
            return SearchedCounters(places)
        }
    }
}

extension MemcachedAddress {
    /// The places that `MEMCACHED_HOST=auto` tries: this machine, then the name that memcached has in compose files.
    static func searched(_ port: UInt16) -> [MemcachedAddress] {
        ["127.0.0.1", "memcached"].map { MemcachedAddress(host: $0, port: port) }
    }
}

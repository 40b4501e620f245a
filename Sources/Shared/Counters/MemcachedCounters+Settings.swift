extension MemcachedCounters {
    /// The store that the settings name; nil: each process counts for itself. Looking for a server blocks for a moment;
    /// nothing else does, and one that is away is no error.
    package static func store(_ settings: LimitSettings) throws(StoreFailure) -> MemcachedCounters? {
        let timeout = max(1, settings.storeTimeout.milliseconds)
        switch settings.store {
        case .memory: return nil
        case .servers(let addresses): return try MemcachedCounters(addresses, timeoutMilliseconds: timeout)
        case .search(let port):
            let local = try MemcachedCounters(
                [MemcachedAddress(host: "127.0.0.1", port: port)],
                timeoutMilliseconds: timeout
            )
            do throws(StoreFailure) {
                _ = try local.connect(to: 0)
                return local
            } catch {
                let named = MemcachedAddress(host: "memcached", port: port)
                return try MemcachedCounters([named], timeoutMilliseconds: timeout)
            }
        }
    }
}

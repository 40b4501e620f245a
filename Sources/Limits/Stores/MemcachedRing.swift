import CMemcached

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

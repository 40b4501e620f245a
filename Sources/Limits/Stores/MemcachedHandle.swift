import CMemcached
import Glibc

/// libmemcached's handle, in the binary protocol: with the text protocol, a reply out of step ends the process. Used by
/// one thread at a time, and not again after a call has thrown.
struct MemcachedHandle: ~Copyable {
    private let handle: UnsafeMutablePointer<memcached_st>
    /// Larger ones are none of ours: memcached itself keeps none.
    static let valueBound = 1_048_576

    private init(_ handle: UnsafeMutablePointer<memcached_st>) { self.handle = handle }

    deinit { memcached_free(handle) }

    /// Connects at the first call.
    static func open(
        _ addresses: [MemcachedAddress],
        timeoutMilliseconds: Int
    ) throws(StoreFailure) -> MemcachedHandle {
        guard let raw = memcached_create(nil) else { throw StoreFailure(reason: "out of memory") }
        let handle = MemcachedHandle(raw)
        let milliseconds = UInt64(max(1, timeoutMilliseconds))
        let behaviors: [(memcached_behavior_t, UInt64)] = [
            (MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1),
            (MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1),
            (MEMCACHED_BEHAVIOR_TCP_NODELAY, 1),
            (MEMCACHED_BEHAVIOR_NO_BLOCK, 1),
            (MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1),
            (MEMCACHED_BEHAVIOR_REMOVE_FAILED_SERVERS, 0),
            (MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, milliseconds),
            (MEMCACHED_BEHAVIOR_POLL_TIMEOUT, milliseconds),
            (MEMCACHED_BEHAVIOR_SND_TIMEOUT, milliseconds * 1_000),
            (MEMCACHED_BEHAVIOR_RCV_TIMEOUT, milliseconds * 1_000),
        ]
        for (behavior, value) in behaviors { try check(relay_memcached_set(raw, behavior, value)) }
        for address in addresses { try check(relay_memcached_add_server(raw, address.host, address.port)) }
        return handle
    }

    private static func check(_ code: Int32) throws(StoreFailure) {
        if code != MEMCACHED_SUCCESS.code { throw StoreFailure(reason: "code \(code)") }
    }

    func server(of key: String) -> Int {
        var key = key
        return Int(key.withUTF8 { memcached_generate_hash(handle, $0.characters, $0.count) })
    }

    /// Calls `found` with the key's place, the value and its number (never 0).
    func read(_ keys: [String], _ found: (Int, [UInt8], UInt64) -> Void) throws(StoreFailure) {
        switch keys.count {
        case 0: return
        case 1: if let (value, number) = try read(keys[0]) { found(0, value, number) }
        default: try readAll(keys, found)
        }
    }

    /// One request and one reply. In a list each key is asked for quietly, and a further request, sent by itself, makes
    /// the server tell that it was the last.
    private func read(_ key: String) throws(StoreFailure) -> ([UInt8], UInt64)? {
        var (count, code) = (0, Int32(0))
        let value = key.withBytes { relay_memcached_get(handle, $0, $1, &count, &code) }
        defer { free(value) }
        if code == MEMCACHED_NOTFOUND.code {
            try checkNothingFailed()
            return nil
        }
        guard code == MEMCACHED_SUCCESS.code else { throw failure(code) }
        // The handle's result was emptied before the call, so a reply to another request is seen by what it lacks.
        let result = relay_memcached_result(handle)
        let number = memcached_result_cas(result)
        guard isOf(key, result), number != 0 else { throw StoreFailure(reason: "an answer out of step") }
        return (Self.bytes(value, count), number)
    }

    private func readAll(_ keys: [String], _ found: (Int, [UInt8], UInt64) -> Void) throws(StoreFailure) {
        let code = keys.withAllBytes { memcached_mget(handle, $0, $1, keys.count).code }
        guard code == MEMCACHED_SUCCESS.code else { throw failure(code) }
        // Answers come in the order of the keys, absent ones left out.
        var place = 0
        var end: Int32 = 0
        while let result = relay_memcached_fetch(handle, &end) {
            while place < keys.count, !isOf(keys[place], result) { place += 1 }
            let number = memcached_result_cas(result)
            guard place < keys.count, number != 0 else { throw StoreFailure(reason: "an answer out of step") }
            found(place, Self.bytes(memcached_result_value(result), memcached_result_length(result)), number)
            place += 1
        }
        guard end == MEMCACHED_END.code || end == MEMCACHED_NOTFOUND.code else { throw failure(end) }
        try checkNothingFailed()
    }

    /// A wait that timed out may end in the code of an absent key, but leaves an error behind.
    private func checkNothingFailed() throws(StoreFailure) {
        let error = memcached_last_error(handle).code
        guard error == MEMCACHED_SUCCESS.code else { throw failure(error) }
    }

    private func isOf(_ key: String, _ result: UnsafeMutablePointer<memcached_result_st>?) -> Bool {
        let count = memcached_result_key_length(result)
        return key.withBytes { own, length in
            guard length == count, let own, let found = memcached_result_key_value(result) else { return false }
            return memcmp(own, found, count) == 0
        }
    }

    private static func bytes(_ value: UnsafePointer<CChar>?, _ count: Int) -> [UInt8] {
        count <= valueBound ? [UInt8](UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : count)) : []
    }

    func replace(_ key: String, _ value: [UInt8], number: UInt64, expiry: Int) throws(StoreFailure) -> WriteResult {
        precondition(number != 0)
        return try result(
            key.withBytes { key, length in
                value.withBytes { memcached_cas(handle, key, length, $0, $1, expiry, 0, number).code }
            }
        )
    }

    func add(_ key: String, _ value: [UInt8], expiry: Int) throws(StoreFailure) -> WriteResult {
        try result(
            key.withBytes { key, length in
                value.withBytes { memcached_add(handle, key, length, $0, $1, expiry, 0).code }
            }
        )
    }

    func time() throws(StoreFailure) -> Int {
        let seconds = relay_memcached_time(handle)
        guard seconds > 0 else { throw failure(memcached_last_error(handle).code) }
        return seconds
    }

    private func result(_ code: Int32) throws(StoreFailure) -> WriteResult {
        switch code {
        case MEMCACHED_SUCCESS.code, MEMCACHED_STORED.code: return .written
        case MEMCACHED_DATA_EXISTS.code, MEMCACHED_NOTSTORED.code, MEMCACHED_NOTFOUND.code: return .lost
        case MEMCACHED_E2BIG.code, MEMCACHED_MEMORY_ALLOCATION_FAILURE.code,
            MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE.code:
            return .refused(reason: name(code))
        default: throw failure(code)
        }
    }

    private func failure(_ code: Int32) -> StoreFailure { StoreFailure(reason: name(code)) }

    private func name(_ code: Int32) -> String {
        guard let text = memcached_strerror(handle, memcached_return_t(UInt32(code))) else { return "code \(code)" }
        return String(cString: text).lowercased()
    }
}

extension memcached_return_t {
    fileprivate var code: Int32 { Int32(rawValue) }
}

extension UnsafeBufferPointer<UInt8> {
    fileprivate var characters: UnsafePointer<CChar>? {
        UnsafeRawPointer(baseAddress)?.assumingMemoryBound(to: CChar.self)
    }
}

extension String {
    fileprivate func withBytes<Result>(_ body: (UnsafePointer<CChar>?, Int) -> Result) -> Result {
        var copy = self
        return copy.withUTF8 { body($0.characters, $0.count) }
    }
}

extension [UInt8] {
    fileprivate func withBytes<Result>(_ body: (UnsafePointer<CChar>?, Int) -> Result) -> Result {
        withUnsafeBufferPointer { body($0.characters, $0.count) }
    }
}

extension [String] {
    /// Addresses and lengths of all elements.
    fileprivate func withAllBytes<Result>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int>?) -> Result
    ) -> Result {
        let bytes = flatMap(\.utf8)
        let lengths = map(\.utf8.count)
        return bytes.withUnsafeBufferPointer { bytes in
            var next = bytes.characters
            let addresses = lengths.map { length in
                defer { next = next.map { $0 + length } }
                return next
            }
            return addresses.withUnsafeBufferPointer { addresses in
                lengths.withUnsafeBufferPointer { body(addresses.baseAddress, $0.baseAddress) }
            }
        }
    }
}

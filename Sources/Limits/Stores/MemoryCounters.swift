import Engine

/// A store in the memory of one process, with a bounded size in bytes. It evicts the least recently used entry first.
package final class MemoryCounters: CounterStore, CounterConnection {
    package static let defaultBytes = 64 * 1_048_576
    /// The estimated size of an entry without its key and value, in bytes.
    static let overhead = 160

    private struct StoredRecord {
        var bytes: [UInt8]
        var number: UInt64
        var expiry: Int
        var mark: UInt32
    }

    private struct State {
        var table = RecentTable<String, StoredRecord>()
        var bytes = 0
        var lastNumber: UInt64 = 0
    }

    private let state = Lock(State())
    private let bound: Int
    private let seconds: @Sendable () -> Int

    /// - Parameter seconds: returns the current time in seconds since 1970.
    package init(bytes: Int = defaultBytes, seconds: @escaping @Sendable () -> Int) {
        bound = bytes
        self.seconds = seconds
    }

    package var servers: [String] { ["memory"] }
    package func server(of key: String) -> Int { 0 }
    package func connect(to server: Int) -> any CounterConnection { self }

    package func read(_ keys: [String]) -> [StoredValue?] {
        let now = seconds()
        return state.withLock { state in
            keys.map { key in
                guard let held = Self.find(key, now, state: &state) else { return nil }
                return StoredValue(
                    bytes: held.bytes,
                    version: .init(number: held.number, connection: 0),
                    mark: held.mark
                )
            }
        }
    }

    package func write(_ write: StoreWrite) -> WriteResult {
        let now = seconds()
        return state.withLock { state in
            guard Self.find(write.key, now, state: &state)?.number == write.version?.number else { return .lost }
            return put(write, at: now, state: &state)
        }
    }

    package func status() -> StoreState { StoreState(seconds: seconds()) }

    /// The size of all entries in bytes, including the estimated overhead of each entry.
    package var byteCount: Int { state.withLock { $0.bytes } }

    private static func find(_ key: String, _ now: Int, state: inout State) -> StoredRecord? {
        guard let held = state.table.use(key) else { return nil }
        if held.expiry > now { return held }
        remove(key, &state)
        return nil
    }

    private func put(_ write: StoreWrite, at now: Int, state: inout State) -> WriteResult {
        let cost = Self.cost(write.key, write.value)
        guard cost <= bound else { return .refused(reason: "too large") }
        Self.remove(write.key, &state)
        while state.bytes + cost > bound, let oldest = state.table.leastRecentlyUsed { Self.remove(oldest.key, &state) }
        state.lastNumber += 1
        let (number, expiry) = (state.lastNumber, now + write.expirySeconds)
        state.table.set(
            write.key,
            StoredRecord(bytes: write.value, number: number, expiry: expiry, mark: write.mark)
        )
        state.bytes += cost
        return .written(StoredValue.Version(number: state.lastNumber, connection: 0))
    }

    private static func remove(_ key: String, _ state: inout State) {
        if let held = state.table.remove(key) { state.bytes -= cost(key, held.bytes) }
    }

    private static func cost(_ key: String, _ value: [UInt8]) -> Int { key.utf8.count + value.count + overhead }
}

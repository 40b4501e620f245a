import Engine
import Limits

/// A store in memory whose writes can be scripted to be late, to fail, or to happen and yet fail.
final class HookedStore: CounterStore {
    enum Order: Sendable {
        /// Calls the closure after the write is done, before the response.
        case thenCall(@Sendable () -> Void)
        case doneButUnanswered
        case notDone
        /// The store refuses this value only.
        case refuse
        case loseRace
        case normal
    }

    private struct Script {
        var orders: [Order] = []
        var reads = 0
        /// The reads of other records than those of living instances.
        var limitReads = 0
        var writes: [String] = []
        var connections = 0
        var isDown = false
    }

    let inner: MemoryCounters
    private let script = Lock(Script())

    init(_ inner: MemoryCounters = MemoryCounters(seconds: { epoch / 1_000_000 })) { self.inner = inner }

    /// Scripts the next writes, in order.
    func order(_ orders: Order...) { script.withLock { $0.orders += orders } }

    /// Drops the orders that are not carried out yet.
    func forget() { script.withLock { $0.orders = [] } }

    /// Makes the store unavailable, so that connecting fails.
    func setDown(_ isDown: Bool) { script.withLock { $0.isDown = isDown } }

    var reads: Int { script.withLock { $0.reads } }
    /// The number of calls that read records of limits.
    var limitReads: Int { script.withLock { $0.limitReads } }
    /// The written keys, in order.
    var writes: [String] { script.withLock { $0.writes } }

    var servers: [String] { ["hooked"] }
    func server(of key: String) -> Int { 0 }

    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        let isDown = script.withLock { script in
            script.connections += 1
            return script.isDown
        }
        if isDown { throw StoreFailure(reason: "down") }
        return Connection(self)
    }

    fileprivate func read(_ keys: [String]) -> [StoredValue?] {
        script.withLock { script in
            script.reads += 1
            if !keys.allSatisfy(Self.isOfInstances) { script.limitReads += 1 }
        }
        return inner.read(keys)
    }

    private static func isOfInstances(_ key: String) -> Bool {
        key.contains("total.concurrent.") || key.contains(":known:")
    }

    fileprivate func write(_ key: String, _ body: () -> WriteResult) throws(StoreFailure) -> WriteResult {
        // The entries of living instances are written at any time, so they are not scripted.
        if Self.isOfInstances(key) { return body() }
        let order = script.withLock { script in
            script.writes.append(key)
            return script.orders.isEmpty ? Order.normal : script.orders.removeFirst()
        }
        switch order {
        case .normal: return body()
        case .loseRace: return .lost
        case .refuse: return .refused(reason: "out of memory")
        case .notDone: throw StoreFailure(reason: "not done")
        case .doneButUnanswered:
            _ = body()
            throw StoreFailure(reason: "done, but unanswered")
        case .thenCall(let call):
            let result = body()
            call()
            return result
        }
    }
}

private final class Connection: CounterConnection {
    private let store: HookedStore

    init(_ store: HookedStore) { self.store = store }

    func read(_ keys: [String]) -> [StoredValue?] { store.read(keys) }

    func write(_ write: StoreWrite) throws(StoreFailure) -> WriteResult {
        try store.write(write.key) { store.inner.write(write) }
    }

    func status() -> StoreState { store.inner.status() }
}

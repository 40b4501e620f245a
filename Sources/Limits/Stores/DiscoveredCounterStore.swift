import Engine

/// A store that has one of several possible addresses. New connections try these addresses in order until one responds.
/// From then on, all connections use that address.
package final class DiscoveredCounterStore: CounterStore {
    package let servers: [String]
    private let stores: [any CounterStore]
    private let found = Lock<Int?>(nil)

    /// - Parameter stores: stores of one server each, in the order in which they are tried.
    package init(_ stores: [any CounterStore]) {
        precondition(!stores.isEmpty && stores.allSatisfy { $0.servers.count == 1 })
        self.stores = stores
        servers = [stores.map { $0.servers[0] }.joined(separator: " or ")]
    }

    package func server(of key: String) -> Int { 0 }

    package func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        if let position = found.withLock({ $0 }) { return try stores[position].connect(to: 0) }
        var reasons: [String] = []
        for (position, store) in stores.enumerated() {
            let connection: any CounterConnection
            do throws(StoreFailure) {
                connection = try store.connect(to: 0)
            } catch {
                reasons.append("\(store.servers[0]): \(error.reason)")
                continue
            }
            // Another thread may have found another store meanwhile, and all threads must use the same.
            let chosen = found.withLock { found in
                found = found ?? position
                return found ?? position
            }
            return chosen == position ? connection : try stores[chosen].connect(to: 0)
        }
        throw StoreFailure(reason: reasons.joined(separator: "; "))
    }
}

import Engine

/// A store that is searched for under several addresses. The first one that responds is used until the process ends.
/// Until then the store is unavailable, and each attempt to connect tries all of them again.
package final class SearchedCounters: CounterStore {
    package let servers: [String]
    private let places: [any CounterStore]
    private let found = Lock<Int?>(nil)

    /// - Parameter places: stores of one server each, in the order in which they are tried.
    package init(_ places: [any CounterStore]) {
        precondition(!places.isEmpty && places.allSatisfy { $0.servers.count == 1 })
        self.places = places
        servers = [places.map { $0.servers[0] }.joined(separator: " or ")]
    }

    package func server(of key: String) -> Int { 0 }

    package func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        if let place = found.withLock({ $0 }) { return try places[place].connect(to: 0) }
        var reasons: [String] = []
        for (place, store) in places.enumerated() {
            let connection: any CounterConnection
            do throws(StoreFailure) {
                connection = try store.connect(to: 0)
            } catch {
                reasons.append("\(store.servers[0]): \(error.reason)")
                continue
            }
            // Another thread may have found another store meanwhile, and all threads must use the same.
            let chosen = found.withLock { found in
                found = found ?? place
                return found ?? place
            }
            return chosen == place ? connection : try places[chosen].connect(to: 0)
        }
        throw StoreFailure(reason: reasons.joined(separator: "; "))
    }
}

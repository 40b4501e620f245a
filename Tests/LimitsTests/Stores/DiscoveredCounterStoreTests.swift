import Engine
import Testing

@testable import Limits

@Suite struct DiscoveredCounterStoreTests {
    private let stores = [HookedStore(), HookedStore()]
    private var searched: DiscoveredCounterStore { DiscoveredCounterStore(stores) }

    private func value(_ store: some CounterStore) throws(StoreFailure) -> [UInt8]? {
        try store.connect(to: 0).read(["a"])[0]?.bytes
    }

    private func fill() throws(StoreFailure) {
        for (number, store) in stores.enumerated() {
            _ = try store.inner.add("a", [UInt8(number)], expirySeconds: 60)
        }
    }

    @Test("the first place that answers is it, also when an earlier one answers later, or it goes away itself")
    func stays() throws {
        try fill()
        let store = searched
        stores[0].setDown(true)
        #expect(try value(store) == [1])
        stores[0].setDown(false)
        #expect(try value(store) == [1])
        stores[1].setDown(true)
        #expect(throws: StoreFailure.self) { try value(store) }
        stores[1].setDown(false)
        #expect(try value(store) == [1])
    }

    @Test("until one answers all are tried again each time, and each tells why it does not")
    func searches() throws {
        try fill()
        let store = searched
        for hooked in stores { hooked.setDown(true) }
        for _ in 0..<2 {
            do throws(StoreFailure) {
                _ = try value(store)
                Issue.record("nobody is there")
            } catch {
                #expect(error.reason == "hooked: down; hooked: down")
            }
        }
        stores[0].setDown(false)
        #expect(try value(store) == [0])
        #expect(store.servers == ["hooked or hooked"] && store.server(of: "a") == 0)
    }

    @Test("who finds another place than was found meanwhile takes the one that was found")
    func race() throws {
        try fill()
        let (first, second) = (stores[0], stores[1])
        first.setDown(true)
        let racing = RacingStore(second)
        let store = DiscoveredCounterStore([first, racing])
        // While this attempt tries the second store, another one finds the first.
        racing.beforeConnect { [weak store] in
            first.setDown(false)
            _ = try? store?.connect(to: 0)
        }
        #expect(try value(store) == [0])
        #expect(try value(store) == [0])
    }
}

/// A store that calls a closure of the test before its first connection.
private final class RacingStore: CounterStore {
    private let inner: HookedStore
    private let hook = Lock<(@Sendable () -> Void)?>(nil)

    init(_ inner: HookedStore) { self.inner = inner }

    func beforeConnect(_ body: @escaping @Sendable () -> Void) { hook.withLock { $0 = body } }

    var servers: [String] { inner.servers }
    func server(of key: String) -> Int { 0 }

    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        let first = hook.withLock { hook in
            defer { hook = nil }
            return hook
        }
        first?()
        return try inner.connect(to: server)
    }
}

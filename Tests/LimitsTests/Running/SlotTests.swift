import Engine
import Testing

@testable import Limits

@Suite struct SlotTests {
    let loops = TestLoops()
    let clock: TestClock
    let store: HookedStore
    static let five = Limit(.caller(.chat), Quota(5, .concurrent, per: .second))

    init() {
        let clock = TestClock()
        self.clock = clock
        store = HookedStore(MemoryCounters(seconds: { clock.clock.now().wall / 1_000_000 }))
    }

    private func limiter(_ rule: StoreDownRule = .share) -> Limiter {
        Limiter(
            store: store,
            LimiterOptions(storeDown: rule, timeoutMicroseconds: 5_000_000),
            on: TestLoops.ofStores,
            clock: clock.clock
        )
    }

    /// Takes so many slots one by one, keeps those it got while `body` runs, and releases them.
    private func taking<Result: Sendable>(
        _ count: Int,
        _ limiter: Limiter,
        then body: @escaping @Sendable (_ admitted: Int, Decision?) async -> Result
    ) async -> Result {
        await loops.run { loop in await Self.acquire(count, limiter, loop, admitted: 0, last: nil, then: body) }
    }

    private static func acquire<Result: Sendable>(
        _ count: Int,
        _ limiter: Limiter,
        _ loop: EventLoop,
        admitted: Int,
        last: Decision?,
        then body: @escaping @Sendable (_ admitted: Int, Decision?) async -> Result
    ) async -> Result {
        guard count > 0 else { return await body(admitted, last) }
        let reservation = await limiter.reserve([LimitCharge(five, .everybody)], on: loop)
        let now = admitted + (reservation.decision.isAdmitted ? 1 : 0)
        let result = await acquire(count - 1, limiter, loop, admitted: now, last: reservation.decision, then: body)
        _ = consume reservation
        return result
    }

    @Test("without a store so many at once, and each that ends makes room")
    func inMemory() async {
        let limiter = Limiter(store: nil, clock: clock.clock)
        let first = await taking(7, limiter) { admitted, last in
            #expect(last?.refusal?.limit.quota.text == "5 concurrent")
            #expect(last?.retryAfterMilliseconds == 1_000)
            #expect(limiter.metrics().slots == 5)
            return admitted
        }
        #expect(first == 5)
        #expect(limiter.metrics().slots == 0)
        #expect(await taking(5, limiter) { admitted, _ in admitted } == 5)
    }

    @Test("two instances together hold so many at once")
    func shared() async {
        let (one, two) = (limiter(), limiter())
        defer {
            one.stop()
            two.stop()
        }
        let both = await taking(3, one) { first, _ in
            await taking(4, two) { second, _ in [first, second, one.metrics().slots, two.metrics().slots] }
        }
        #expect(both == [3, 2, 3, 2])
        // The slots of both are free again. The second instance remembers its refusal for a second.
        for limiter in [one, two] {
            #expect(
                await reaches(5) {
                    clock.advance(microseconds: 1_000_000)
                    return await taking(5, limiter) { admitted, _ in admitted }
                }
            )
        }
    }

    @Test("slots of an instance that died are free when their time is over, not before")
    func death() async {
        let itsStore = HookedStore(store.inner)
        let dying = Limiter(
            store: itsStore,
            LimiterOptions(timeoutMicroseconds: 5_000_000),
            on: TestLoops.ofStores,
            clock: clock.clock
        )
        let other = limiter()
        defer {
            dying.stop()
            other.stop()
        }
        let taken = await taking(5, dying) { admitted, _ in
            itsStore.setDown(true)
            itsStore.order(.notDone)
            var taken = [admitted]
            for _ in 0..<2 {
                clock.advance(microseconds: 14_000_000)
                taken.append(await taking(5, other) { admitted, _ in admitted })
            }
            clock.advance(microseconds: 2_000_000)
            taken.append(await taking(5, other) { admitted, _ in admitted })
            return taken
        }
        #expect(taken == [5, 0, 0, 5])
    }

    @Test("an entry is renewed while requests run, and gone when the instance ends")
    func renewal() async {
        let (one, two) = (limiter(), limiter())
        let during = await taking(4, one) { _, _ in
            var admitted: [Int] = []
            for _ in 0..<10 {
                let renewals = one.metrics().writes
                clock.advance(microseconds: 11_000_000)
                // Two writes renew its slots, and its entry among the living instances.
                #expect(await reaches(true) { one.metrics().writes >= renewals + 2 })
                admitted.append(await taking(2, two) { admitted, _ in admitted })
            }
            return admitted
        }
        #expect(during == [Int](repeating: 1, count: 10))
        #expect(two.metrics().instances == 2)
        one.stop()
        two.stop()
        let third = limiter()
        defer { third.stop() }
        #expect(await reaches(true) { third.metrics().clockMilliseconds != nil })
        clock.advance(microseconds: 11_000_000)
        #expect(await reaches(1) { third.metrics().instances })
    }

    @Test("slots of requests that still run when their instance ends are free")
    func ending() async {
        let (one, two) = (limiter(), limiter())
        defer { two.stop() }
        let free = await taking(4, one) { _, _ in
            one.stop()
            return await taking(5, two) { admitted, _ in admitted }
        }
        #expect(free == 5)
    }

    @Test("while the store is away each instance has its part", arguments: [StoreDownRule.share, .local, .allow])
    func outage(rule: StoreDownRule) async {
        let limiter = Limiter(
            store: store,
            LimiterOptions(storeDown: rule, instances: 2, timeoutMicroseconds: 5_000_000),
            on: TestLoops.ofStores,
            clock: clock.clock
        )
        defer { limiter.stop() }
        store.setDown(true)
        store.order(.notDone)
        let admitted = await taking(7, limiter) { admitted, _ in admitted }
        #expect(admitted == (rule == .share ? 3 : rule == .local ? 5 : 7))
    }

    private func reaches<Value: Equatable>(_ wanted: Value, _ body: () async -> Value) async -> Bool {
        for _ in 0..<400 {
            if await body() == wanted { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

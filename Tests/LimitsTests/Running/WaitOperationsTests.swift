import Engine
import Support
import Testing

@testable import Limits

/// The calls to the store that waiting requests cost, counted at the store.
@Suite struct WaitOperationsTests {
    /// The microseconds that have passed. No time passes by itself: a slow machine makes no calls of its own.
    private let passed = Lock(1_000_000)
    private let store: HookedStore

    init() {
        let passed = passed
        store = HookedStore(MemoryCounters(seconds: { (epoch + passed.withLock { $0 }) / 1_000_000 }))
    }

    private var clock: LimitClock {
        let passed = passed
        return LimitClock(
            now: {
                let now = passed.withLock { $0 }
                return ClockReading(wall: epoch + now, steady: now)
            },
            alarm: { _ in LoopTime.current() + 20_000_000 }
        )
    }

    private func advance(microseconds: Int) { passed.withLock { $0 += microseconds } }

    /// The calls to the store for records of limits so far.
    private var calls: Int { store.limitReads + store.writes.count }

    /// Returns the number of turns in the record that was written last.
    private func turns(_ limit: Limit) -> Int {
        guard let key = store.writes.last, let bytes = store.inner.read([key])[0]?.bytes,
            let record = try? Record(bytes, limit.layout)
        else { return 0 }
        return record.future.reduce(0) { $0 + $1.units }
    }

    /// Uses up a limit of `count` in 30 seconds, and returns the calls to the store of as many requests that then wait for their
    /// turn, and the calls while they wait.
    private func calls(of count: Int) async -> (all: Int, whileWaiting: Int) {
        let limiter = Limiter(
            store: store,
            LimiterOptions(timeoutMicroseconds: 5_000_000, slotMicroseconds: 3_600_000_000, maxWaiting: 2 * count),
            on: TestLoops.ofStores,
            clock: clock
        )
        defer { limiter.stop() }
        let limit = Limit(.caller(.chat), Quota(count, per: .second, times: 30))
        let charges = [LimitCharge(limit, .everybody)]
        let ask = { @Sendable (patience: LimitPatience?) in
            await TestLoops.lasting.run(count) { _, loop in
                await limiter.reserve(charges, patience, on: loop).decision.isAdmitted
            }
        }
        #expect(await ask(nil).allSatisfy { $0 })
        // Leases end, and what was counted ahead is given back.
        advance(microseconds: 2_000_000)
        #expect(await reaches { limiter.metrics().openUnits == 0 })
        let before = calls
        let waiting = Task { await ask(LimitPatience(microseconds: 120_000_000, caller: .everybody)) }
        #expect(await reaches { turns(limit) == count && limiter.asleep == count })
        let asleep = calls
        for _ in 0..<20 {
            advance(microseconds: 1_250_000)
            try? await Task.sleep(for: .milliseconds(5))
        }
        let rested = calls
        advance(microseconds: 6_000_000)
        #expect(await waiting.value.allSatisfy { $0 })
        #expect(limiter.metrics().turns(.used) == count && limiter.metrics().turns(.moved) == 0)
        return (calls - before, rested - asleep)
    }

    @Test("a request that waits alone needs three calls to the store")
    func alone() async {
        let calls = await calls(of: 1)
        #expect(calls.all <= 3 && calls.whileWaiting == 0)
    }

    @Test("a hundred requests that wait at one instance need twenty calls together")
    func hundred() async {
        let calls = await calls(of: 100)
        #expect(calls.all <= 20 && calls.whileWaiting == 0)
    }

    @Test("a thousand requests wait without a call to the store")
    func thousand() async { #expect(await calls(of: 1_000).whileWaiting == 0) }
}

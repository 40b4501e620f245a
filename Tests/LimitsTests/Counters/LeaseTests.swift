import Engine
import Testing

@testable import Limits

@Suite struct LeaseTests {
    let loops = TestLoops()
    let clock = TestClock()
    let store = HookedStore()

    private func limiter() -> Limiter {
        Limiter(
            store: store,
            LimiterOptions(timeoutMicroseconds: 5_000_000),
            on: TestLoops.ofStores,
            clock: clock.clock
        )
    }

    private func admitted(_ count: Int, _ limiter: Limiter, _ limit: Limit) async -> Int {
        await loops.run { loop in
            var admitted = 0
            for _ in 0..<count
            where await limiter.reserve([LimitCharge(limit, .everybody)], on: loop).decision.isAdmitted {
                admitted += 1
            }
            return admitted
        }
    }

    @Test("a busy record costs a few calls a bucket, and every unit of it is counted")
    func busy() async throws {
        let limiter = limiter()
        let limit = Limit(.caller(.chat), Quota(100_000, per: .minute))
        for _ in 0..<20 {
            #expect(await admitted(1_000, limiter, limit) == 1_000)
            clock.advance(microseconds: 500_000)
        }
        let metrics = limiter.metrics()
        // In the first bucket each request calls the store until there are eight. Then leases double until they
        // suffice.
        #expect(metrics.writes < 200, "\(metrics.writes) writes")
        #expect(metrics.leases > 15)
        limiter.stop()
        let key = try #require(store.writes.last { $0.contains(limit.id) })
        let value = try #require(store.inner.read([key])[0])
        #expect(try Record(value.bytes, limit.layout).total == 20_000, "what was leased and not used is given back")
    }

    @Test("what is left of a lease is given back when its time is over", arguments: [Quota.TimeUnit.minute, .day])
    func givenBack(span: Quota.TimeUnit) async throws {
        let limiter = limiter()
        defer { limiter.stop() }
        let limit = Limit(.caller(.chat), Quota(1_000, per: span))
        #expect(await admitted(30, limiter, limit) == 30)
        #expect(limiter.metrics().openUnits > 0)
        let counted = { () throws -> Int in
            let key = try #require(store.writes.last { $0.contains(limit.id) })
            return try Record(try #require(store.inner.read([key])[0]).bytes, limit.layout).total
        }
        #expect(try counted() == 30 + limiter.metrics().openUnits)
        clock.advance(microseconds: 1_000_000)
        for _ in 0..<400 where try counted() != 30 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try counted() == 30)
        #expect(limiter.metrics().openUnits == 0)
    }

    @Test("all leases together are at most a tenth of the limit, and none above a quarter of what is left")
    func bounds() async {
        let limiters = (0..<4).map { _ in limiter() }
        defer { for limiter in limiters { limiter.stop() } }
        let limit = Limit(.caller(.chat), Quota(400, per: .minute))
        var all = 0
        for _ in 0..<40 {
            for limiter in limiters { all += await admitted(5, limiter, limit) }
            let open = limiters.reduce(0) { $0 + $1.metrics().openUnits }
            // Others may have used the 20 units of this round since a lease began.
            #expect(open <= 40 && open <= (400 - all + 20 + open) / 3)
        }
        #expect(all > 360 && all <= 400)
    }

    @Test("small limits are not leased: what one instance holds back, others would miss")
    func small() async {
        let (one, two) = (limiter(), limiter())
        defer {
            one.stop()
            two.stop()
        }
        let limit = Limit(.caller(.chat), Quota(79, per: .minute))
        #expect(await admitted(60, one, limit) == 60)
        #expect(one.metrics().leases == 0)
        #expect(await admitted(60, two, limit) == 19)
    }
}

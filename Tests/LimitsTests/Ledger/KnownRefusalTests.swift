import Engine
import Limits
import Testing

@Suite struct KnownRefusalTests {
    private let loops = TestLoops()
    private let limit = Limit(.caller(.chat), Quota(2, per: .minute))

    @Test("who is known to be over a limit is refused without being counted; nobody else is")
    func inMemory() async throws {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let charge = LimitCharge(limit, .passedKey(Digest(of: "one")))
        #expect(limiter.knownRefusal([charge]) == nil, "nothing is known of him")
        _ = await loops.run { await limiter.reserve([charge], on: $0).decision }
        #expect(limiter.knownRefusal([charge]) == nil, "one is left")
        _ = await loops.run { await limiter.reserve([charge], on: $0).decision }
        for _ in 0..<10 {
            let refusal = try #require(limiter.knownRefusal([charge]))
            #expect(refusal.refusal?.limit == limit && refusal.requests?.remaining == 0)
        }
        #expect(limiter.knownRefusal([LimitCharge(limit, .passedKey(Digest(of: "other")))]) == nil)
        clock.advance(microseconds: 61_000_000)
        #expect(limiter.knownRefusal([charge]) == nil)
        let next = await loops.run { await limiter.reserve([charge], on: $0).decision }
        #expect(next.requests?.remaining == 1, "none of those refusals was counted")
    }

    @Test("with a store, what a refusal said is remembered, and the store is not asked")
    func withStore() async throws {
        let clock = TestClock()
        let store = MemoryCounters { 1_800_000_000 }
        let limiter = Limiter(store: store, on: TestLoops.ofStores, clock: clock.clock)
        defer { limiter.stop() }
        let charge = LimitCharge(limit, .passedKey(Digest(of: "one")))
        for _ in 0..<2 {
            let decision = await loops.run { await limiter.reserve([charge], on: $0).decision }
            #expect(decision.isAdmitted)
        }
        #expect(limiter.knownRefusal([charge]) == nil, "others may have given something back")
        let refused = await loops.run { await limiter.reserve([charge], on: $0).decision }
        #expect(!refused.isAdmitted)
        let reads = limiter.metrics().reads
        #expect(limiter.knownRefusal([charge]) != nil)
        #expect(limiter.metrics().reads == reads)
    }
}

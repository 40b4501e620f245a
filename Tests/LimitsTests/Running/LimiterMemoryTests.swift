import Engine
import Testing

@testable import Limits

@Suite struct LimiterMemoryTests {
    let loops = TestLoops()
    let minute = Limit(.caller(.chat), Quota(60, per: .minute))

    @Test("admits N, then says exactly when to come again")
    func admits() async throws {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let who = Identity.passedKey(Digest(of: "key"))
        let minute = minute
        let ask: @Sendable (EventLoop) async -> Decision = {
            await limiter.reserve([LimitCharge(minute, who)], on: $0).decision
        }
        for count in 1...60 {
            let decision = await loops.run(ask)
            #expect(decision.isAdmitted)
            #expect(decision.requests?.remaining == 60 - count)
        }
        let refused = await loops.run(ask)
        let refusal = try #require(refused.refusal)
        let wait = try #require(refusal.retryAfterMicroseconds)
        #expect(refused.requests?.remaining == 0)
        clock.advance(microseconds: wait - 1)
        #expect(await loops.run(ask).isAdmitted == false)
        clock.advance(microseconds: 1)
        #expect(await loops.run(ask).isAdmitted)
        let other = await loops.run {
            await limiter.reserve([LimitCharge(minute, .address("192.0.2.1"))], on: $0).decision
        }
        #expect(other.requests?.remaining == 59)
        #expect(limiter.metrics().decisions(.caller(.chat), .admitted) == 62)
        #expect(limiter.metrics().decisions(.caller(.chat), .refused) == 2)
    }

    @Test("counts in all limits or in none, and names the wait of the one that frees last")
    func allOrNothing() async throws {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let limits = [(5, Quota.TimeUnit.minute), (100, .hour), (3, .day)].map { Limit(.total, Quota($0, per: $1)) }
        let ask: @Sendable (EventLoop) async -> Decision = { loop in
            await limiter.reserve(limits.map { LimitCharge($0, .everybody) }, on: loop).decision
        }
        for _ in 0..<3 { #expect(await loops.run(ask).isAdmitted) }
        for _ in 0..<10 {
            let decision = await loops.run(ask)
            let refusal = try #require(decision.refusal)
            #expect(refusal.limit == limits[2])
            #expect(try #require(refusal.retryAfterMicroseconds) > 86_400_000_000)
            #expect(decision.requests?.limit == limits[2] && decision.requests?.remaining == 0)
        }
        let hour = await loops.run { await limiter.reserve([LimitCharge(limits[1], .everybody)], on: $0).decision }
        #expect(hour.requests?.remaining == 96)
    }

    @Test("a request above N itself is never admitted")
    func tooLarge() async throws {
        let limiter = Limiter(store: nil, clock: TestClock().clock)
        let limit = Limit(.total, Quota(1_000, .tokens, per: .minute))
        let refused = await loops.run {
            await limiter.reserve([LimitCharge(limit, .everybody, units: 1_001)], on: $0).decision
        }
        #expect(try #require(refused.refusal).retryAfterMicroseconds == nil)
        #expect(refused.tokens?.remaining == 1_000 && refused.requests == nil)
        let whole = await loops.run {
            await limiter.reserve([LimitCharge(limit, .everybody, units: 1_000)], on: $0).decision
        }
        #expect(whole.isAdmitted)
    }

    @Test("many threads at once get N together")
    func threads() async {
        let limiter = Limiter(store: nil, clock: TestClock().clock)
        let loops = TestLoops(4)
        let minute = minute
        let decisions = await loops.run(400) {
            await limiter.reserve([LimitCharge(minute, .everybody)], on: $1).decision
        }
        #expect(decisions.count { $0.isAdmitted } == 60)
    }

    @Test("stays within its bytes; what was unused longest goes first")
    func bounded() async {
        let limiter = Limiter(store: nil, LimiterOptions(bytes: 100_000), clock: TestClock().clock)
        let minute = minute
        await loops.run { loop in
            for index in 0..<1_000 {
                _ = await limiter.reserve([LimitCharge(minute, .address("\(index)"))], on: loop).decision
                let kept = await limiter.reserve([LimitCharge(minute, .address("0"))], on: loop).decision
                #expect(kept.isAdmitted == (index < 59))
            }
        }
        #expect(limiter.metrics().accounts < 80)
    }

    @Test("accounts of callers that stay away are dropped when others come")
    func dropped() async {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let minute = minute
        for round in 0..<5 {
            await loops.run { loop in
                for index in 0..<100 {
                    _ = await limiter.reserve([LimitCharge(minute, .address("\(round) \(index)"))], on: loop).decision
                }
            }
            clock.advance(microseconds: 70_000_000)
        }
        #expect(limiter.metrics().accounts <= 101)
    }

    @Test("a clock that goes back by hours does not lock callers out for hours, and never lets go")
    func clockSetBack() async {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let minute = minute
        let ask: @Sendable (EventLoop) async -> Decision = {
            await limiter.reserve([LimitCharge(minute, .everybody, units: 60)], on: $0).decision
        }
        #expect(await loops.run(ask).isAdmitted)
        clock.advance(microseconds: -50_000_000)
        #expect(await loops.run(ask).isAdmitted == false)
        clock.advance(microseconds: -3_600_000_000)
        #expect(await loops.run(ask).isAdmitted == false)
        clock.advance(microseconds: 62_000_000)
        #expect(await loops.run(ask).isAdmitted)
    }
}

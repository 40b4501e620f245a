import Engine
import Support
import Testing

@testable import Limits

@Suite struct LimiterResetTests {
    private let limit = Limit(.caller(.chat), Quota(5, per: .hour))
    private let who = Identity.knownKey(named: "TEAM")

    private func ask(_ limiter: Limiter, _ loops: TestLoops, count: Int = 1) async -> Int {
        let charge = LimitCharge(limit, who)
        var admitted = 0
        for _ in 0..<count {
            let isAdmitted = await loops.run { await limiter.reserve([charge], on: $0).decision.isAdmitted }
            admitted += isAdmitted ? 1 : 0
        }
        return admitted
    }

    @Test("in memory, a limit that was reset admits N again, and no more")
    func memory() async throws {
        let limiter = Limiter(store: nil, clock: TestClock().clock)
        let loops = TestLoops()
        #expect(await ask(limiter, loops, count: 8) == 5)
        let charge = LimitCharge(limit, who)
        let key = await loops.run { try? await limiter.reset(charge, in: nil, on: $0) }
        #expect(key == nil)
        #expect(limiter.knownUses([charge])[0].used == 0)
        #expect(await ask(limiter, loops, count: 8) == 5)
        #expect(limiter.knownUses([charge])[0].left == 0)
    }

    @Test("units beyond the limit are used, too")
    func excess() async {
        let limiter = Limiter(store: nil, clock: TestClock().clock)
        let charge = LimitCharge(Limit(.key(nil), Quota(100, .tokens, per: .hour)), who, units: 80)
        let used = await TestLoops().run { loop in
            let reservation = await limiter.reserve([charge], on: loop)
            reservation.settle(used: Amounts(tokens: 250))
            return limiter.knownUses([charge])[0].used
        }
        #expect(used == 250)
    }

    @Test("a refused request reports what is used of a budget, also beyond the limit")
    func reportedExcess() async {
        let reported = Lock<[Int]>([])
        let limiter = Limiter(store: nil, clock: TestClock().clock) { event in
            if case .budgetUsed(let use) = event { reported.withLock { $0.append(use.used) } }
        }
        let charge = LimitCharge(Limit(.key(nil), Quota(100, .credits, per: .hour)), who, units: 80)
        let isAdmitted = await TestLoops().run { loop in
            let reservation = await limiter.reserve([charge], on: loop)
            reservation.settle(used: Amounts(credits: 250))
            return await limiter.reserve([charge], on: loop).decision.isAdmitted
        }
        #expect(!isAdmitted)
        #expect(reported.withLock { $0 } == [250, 250])
    }

    @Test("units that were counted before a reset are given back to nobody")
    func giveBacks() async throws {
        let limiter = Limiter(store: nil, clock: TestClock().clock)
        let tokens = Limit(.key(nil), Quota(100, .tokens, per: .hour))
        let charge = LimitCharge(tokens, who, units: 80)
        let loops = TestLoops()
        let used = await loops.run { loop in
            let before = await limiter.reserve([charge], on: loop)
            _ = try? await limiter.reset(charge, in: nil, on: loop)
            let after = await limiter.reserve([charge], on: loop)
            let isAdmitted = after.decision.isAdmitted
            before.settle(used: Amounts(tokens: 0))
            let used = limiter.knownUses([charge])[0].used
            after.settle(used: Amounts(tokens: 10))
            return isAdmitted ? [used, limiter.knownUses([charge])[0].used] : []
        }
        #expect(used == [80, 10])
    }

    @Test("a reset at one instance holds at another that has refused the caller, as soon as that is told")
    func shared() async throws {
        let memcached = try MemcachedProcess()
        // However busy the machine is, memcached counts as there, and no time passes, after which the other instance
        // would look at the record by itself.
        let now = LimitClock.system.now()
        let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 60_000)
        let limiters = (0..<2).map { _ in
            Limiter(
                store: store,
                LimiterOptions(timeoutMicroseconds: 60_000_000),
                on: TestLoops.ofStores,
                clock: LimitClock(now: { now }, alarm: { _ in .distantFuture })
            )
        }
        let shared = SharedState(store, timeoutMilliseconds: 2_000)
        defer {
            for limiter in limiters { limiter.stop() }
            shared.stop()
        }
        let loops = TestLoops.lasting
        #expect(await ask(limiters[0], loops, count: 5) == 5)
        for limiter in limiters { #expect(await ask(limiter, loops, count: 3) == 0) }
        let charge = LimitCharge(limit, who)
        let key = await loops.run { try? await limiters[0].reset(charge, in: shared, on: $0) }
        #expect(key == who.storeKey(limit))
        #expect(await ask(limiters[0], loops, count: 2) == 2)
        // The other instance remembers its refusal until it is asked to forget it.
        #expect(await ask(limiters[1], loops) == 0)
        limiters[1].forget([who.storeKey(limit)])
        #expect(await ask(limiters[1], loops, count: 8) == 3)
        #expect(await ask(limiters[0], loops) == 0)
    }

    @Test("of a limit of concurrent requests nothing is reset")
    func slots() async throws {
        let limiter = Limiter(store: nil, clock: TestClock().clock)
        let slots = Limit(.caller(.chat), Quota(1, .concurrent, per: .second))
        let charge = LimitCharge(slots, who)
        let loops = TestLoops()
        let isAdmitted = await loops.run { loop in
            let held = await limiter.reserve([charge], on: loop)
            _ = try? await limiter.reset(charge, in: nil, on: loop)
            let isAdmitted = await limiter.reserve([charge], on: loop).decision.isAdmitted
            held.settle(used: Amounts())
            return isAdmitted
        }
        #expect(!isAdmitted)
    }

    @Test("a record that is reset again and again does not run away from the clock")
    func manyResets() {
        let layout = limit.layout
        var record = Record(layout, at: epoch, birth: 7)
        for _ in 0..<1_000 {
            record.charge(5)
            record.empty(at: epoch)
            #expect(record.total == 0 && record.birth == 7)
        }
        #expect(record.newest <= layout.bucket(at: epoch) + 2 && !record.isTooFarAhead(of: epoch))
    }
}

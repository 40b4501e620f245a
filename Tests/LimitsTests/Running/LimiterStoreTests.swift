import Engine
import Glibc
import Support
import Testing

@testable import Limits

@Suite struct LimiterStoreTests {
    private static func limiter(
        _ memcached: MemcachedProcess,
        rule: StoreDownRule = .local,
        timeoutMilliseconds: Int = 2_000,
        clock: LimitClock? = nil,
        events: TestEvents = TestEvents(),
        on loops: [EventLoop] = TestLoops.ofStores
    ) throws -> Limiter {
        Limiter(
            store: try MemcachedCounters([memcached.address], timeoutMilliseconds: timeoutMilliseconds),
            LimiterOptions(storeDown: rule, timeoutMicroseconds: timeoutMilliseconds * 1_000),
            on: loops,
            clock: clock,
            onEvent: events.handler
        )
    }

    @Test("two instances on one store admit exactly N together")
    func share() async throws {
        let memcached = try MemcachedProcess()
        let limiters = [try Self.limiter(memcached), try Self.limiter(memcached)]
        defer { for limiter in limiters { limiter.stop() } }
        let loops = TestLoops.lasting
        let limit = Limit(.caller(.chat), Quota(70, per: .hour))
        let who = Identity.passedKey(Digest(of: "secret-key-of-a-caller"))
        let decisions = await loops.run(600) { index, loop in
            await limiters[index % 2].reserve([LimitCharge(limit, who)], on: loop).decision
        }
        #expect(decisions.count { $0.isAdmitted } == 70)
        #expect(decisions.allSatisfy { $0.isAdmitted || $0.refusal != nil })
        for limiter in limiters {
            #expect(limiter.metrics().byRule == 0 && limiter.metrics().failures == 0)
            let before = limiter.metrics()
            for _ in 0..<20 {
                let again = await loops.run { await limiter.reserve([LimitCharge(limit, who)], on: $0).decision }
                #expect(again.isAdmitted == false && again.requests?.remaining == 0)
            }
            // The instance's own entry is read when its time has come, however long the test takes.
            #expect(limiter.metrics().reads < before.reads + 20, "what cannot change does not touch the store")
        }
        let keys = memcached.keyList
        #expect(keys.contains("relay") && keys.contains("chat.requests.3600"))
        #expect(!keys.contains("secret"))
    }

    @Test("a record that nobody else writes is not read each time, and counted exactly when somebody does")
    func alone() async throws {
        let memcached = try MemcachedProcess()
        let events = TestEvents()
        // No time passes, so that no instance looks at the store while it restarts, however long that takes.
        let now = LimitClock.system.now()
        let clock = LimitClock(now: { now }, alarm: { _ in .distantFuture })
        let stores = TestLoops()
        let limiters = try [events, TestEvents()]
            .map { try Self.limiter(memcached, clock: clock, events: $0, on: stores.loops) }
        defer { withExtendedLifetime(stores) { for limiter in limiters { limiter.stop() } } }
        let loops = TestLoops()
        let limit = Limit(.key(nil), Quota(100, .tokens, per: .hour))  // never leased
        // No request ends, so that the store is asked for nothing between two requests.
        var running: [RunningRequest] = []
        func remaining(_ index: Int) async -> Int? {
            let charges = [LimitCharge(limit, .everybody)]
            let request = await loops.run { RunningRequest(await limiters[index].reserve(charges, on: $0)) }
            running.append(request)
            let decision = request.reservation.decision
            return decision.isAdmitted ? decision.tokens?.remaining : nil
        }
        // Both instances have looked at the store before it goes away.
        #expect(await loops.run { await limiters[1].used([LimitCharge(limit, .everybody)], on: $0) } == [0])
        for left in [99, 98] { #expect(await remaining(0) == left) }
        let (reads, writes) = (limiters[0].metrics().reads, memcached.statistic("cmd_set"))
        for left in (78..<98).reversed() { #expect(await remaining(0) == left) }
        // The instance's own entry is read when its time has come, however long the test takes.
        #expect(limiters[0].metrics().reads < reads + 20)
        #expect(memcached.statistic("cmd_set") - writes >= 20)
        // The connection ends while nothing uses it. The instances see that when they can connect again.
        let (isHeld, restarted) = (Gate(), Gate())
        stores.loops[0]
            .call {
                isHeld.open()
                restarted.wait()
            }
        isHeld.wait()
        memcached.kill()
        try memcached.start()
        restarted.open()
        #expect(await remaining(0) == 77, "the copy takes the place of the record that was lost")
        for left in [76, 75] { #expect(await remaining(0) == left) }
        // A request that only looks sees what others have used.
        #expect(await remaining(1) == 74)
        #expect(await loops.run { await limiters[0].used([LimitCharge(limit, .everybody)], on: $0) } == [26])
        // The instances take turns, so what each knows is outdated every time.
        for left in (65..<74).reversed() { #expect(await remaining(1 - left % 2) == left) }
        #expect(limiters.allSatisfy { $0.metrics().failures == 0 })
        for left in [64, 63, 62] { #expect(await remaining(0) == left) }
    }

    @Test("several limits a request, over lanes and servers: all or nothing")
    func severalLimits() async throws {
        let processes = [try MemcachedProcess(), try MemcachedProcess()]
        let store = try MemcachedCounters(processes.map(\.address), timeoutMilliseconds: 2_000)
        let limiters = (0..<2).map { _ in
            Limiter(store: store, LimiterOptions(timeoutMicroseconds: 2_000_000), on: TestLoops.ofStores)
        }
        defer { for limiter in limiters { limiter.stop() } }
        let loops = TestLoops.lasting
        let day = Limit(.caller(.chat), Quota(40, per: .day))
        let total = Limit(.total, Quota(90, per: .day))
        let key = Limit(.key(nil), Quota(200, .tokens, per: .day))
        let callers = (0..<4).map { Identity.address("192.0.2.\($0)") }
        let decisions = await loops.run(400) { index, loop in
            await limiters[index % 2]
                .reserve(
                    [
                        LimitCharge(day, callers[index % 4]), LimitCharge(total, .everybody),
                        LimitCharge(key, callers[index % 4], units: 2),
                    ],
                    on: loop
                ).decision
        }
        let admitted = decisions.count { $0.isAdmitted }
        #expect(
            limiters.allSatisfy { $0.metrics().failures + $0.metrics().expired == 0 },
            "\(limiters.map { $0.metrics() })"
        )
        // Units that an instance has leased and no longer needs are missing for the others.
        #expect((81...90).contains(admitted), "\(limiters.map { $0.metrics() })")
        // Each limit counts the admitted requests, and nothing of the refused ones, whose units are given back later.
        var counted = 0
        for _ in 0..<2_000 where counted != 2 * admitted {
            counted = 0
            for caller in callers {
                let now = await loops.run {
                    await limiters[0].reserve([LimitCharge(key, caller, units: 0)], on: $0).decision
                }
                counted += 200 - (now.tokens?.remaining ?? 0)
            }
        }
        #expect(counted == 2 * admitted)
    }

    @Test("a store that stops answering costs no request more than its time, and is used again")
    func paused() async throws {
        let memcached = try MemcachedProcess()
        let events = TestEvents()
        let limiter = try Self.limiter(memcached, timeoutMilliseconds: 1_000, events: events)
        defer { limiter.stop() }
        let loops = TestLoops.lasting
        let limit = Limit(.caller(.chat), Quota(50, per: .hour))
        let ask: @Sendable (Int, EventLoop) async -> Decision = { _, loop in
            await limiter.reserve([LimitCharge(limit, .everybody)], on: loop).decision
        }
        #expect(await loops.run(20, ask).allSatisfy { $0.isAdmitted })
        memcached.pause()
        let during = await loops.run(20, ask)
        #expect(during.allSatisfy { $0.isAdmitted }, "local: the copy says 20 of 50")
        #expect(await events.reached(1, \.isDown))
        let waits = limiter.metrics().expired
        let later = await loops.run(20, ask)
        #expect(later.count { $0.isAdmitted } == 10)
        #expect(limiter.metrics().expired == waits, "nobody waits for a store known to be down")
        memcached.resume()
        #expect(await events.reached(1, \.isBack))
        // The units of the outage are in the record again, so nobody gets more.
        #expect(await loops.run(20, ask).count { $0.isAdmitted } == 0)
    }

    @Test("killed and started anew, the store knows again what the instance knew")
    func restarted() async throws {
        let memcached = try MemcachedProcess()
        let events = TestEvents()
        let limiters = [try Self.limiter(memcached, events: events), try Self.limiter(memcached)]
        defer { for limiter in limiters { limiter.stop() } }
        let loops = TestLoops.lasting
        let limit = Limit(.caller(.chat), Quota(50, per: .hour))
        let first: @Sendable (Int, EventLoop) async -> Decision = {
            await limiters[0].reserve([LimitCharge(limit, .everybody)], on: $1).decision
        }
        #expect(await loops.run(30, first).allSatisfy { $0.isAdmitted })
        memcached.kill()
        #expect(await loops.run(5, first).allSatisfy { $0.isAdmitted })
        #expect(await events.reached(1, \.isDown))
        try memcached.start()
        #expect(await events.reached(1, \.isBack))
        // The other instance knows nothing and has a connection from before. Since the first one has written, 36 of 50
        // are back in the store.
        #expect(await loops.run(1, first)[0].isAdmitted)
        #expect(await limiters[1].isUp())
        let other = await loops.run(50) { await limiters[1].reserve([LimitCharge(limit, .everybody)], on: $1).decision }
        #expect(other.count { $0.isAdmitted } == 14)
    }

    @Test("flushed, the record is put back from the copy with the next request")
    func flushed() async throws {
        let memcached = try MemcachedProcess()
        let limiters = [try Self.limiter(memcached), try Self.limiter(memcached)]
        defer { for limiter in limiters { limiter.stop() } }
        let loops = TestLoops.lasting
        let limit = Limit(.caller(.chat), Quota(50, per: .hour))
        let ask: @Sendable (Int, EventLoop) async -> Decision = {
            await limiters[$0 % 2].reserve([LimitCharge(limit, .everybody)], on: $1).decision
        }
        #expect(await loops.run(30, ask).allSatisfy { $0.isAdmitted })
        #expect(await loops.run(2, ask).allSatisfy { $0.isAdmitted })  // both have seen at least 31
        #expect(memcached.say("flush_all").hasPrefix("OK"))
        #expect(await loops.run(60, ask).count { $0.isAdmitted } <= 19)
        #expect(limiters[0].metrics().failures == 0)
    }

    @Test("a value of somebody else's is replaced, with a warning")
    func broken() async throws {
        let memcached = try MemcachedProcess()
        let events = TestEvents()
        let limiter = try Self.limiter(memcached, events: events)
        defer { limiter.stop() }
        let loops = TestLoops()
        let limit = Limit(.total, Quota(2, per: .hour))
        let ask: @Sendable (Int, EventLoop) async -> Decision = { _, loop in
            await limiter.reserve([LimitCharge(limit, .everybody)], on: loop).decision
        }
        #expect(await loops.run(1, ask)[0].isAdmitted)
        let key = try #require(
            memcached.keyList.split { $0 == "=" || $0 == " " }.first { $0.contains("total") }
        )
        let plain = key.split(separator: "%3A").joined(separator: ":")
        #expect(memcached.say("set \(plain) 0 100 3\r\nabc").hasPrefix("STORED"))
        #expect(await loops.run(2, ask).count { $0.isAdmitted } == 1)
        #expect(await events.reached(1, \.isBroken))
    }

    @Test("unreachable from the start: the rule decides at once", arguments: StoreDownRule.allCases)
    func unreachable(rule: StoreDownRule) async throws {
        let memcached = try MemcachedProcess()
        memcached.kill()
        let events = TestEvents()
        let limiter = try Self.limiter(memcached, rule: rule, events: events)
        defer { limiter.stop() }
        #expect(await events.reached(1, \.isDown))
        let loops = TestLoops()
        let limit = Limit(.total, Quota(3, per: .hour))
        let decisions = await loops.run(5) { _, loop in
            await limiter.reserve([LimitCharge(limit, .everybody)], on: loop).decision
        }
        #expect(limiter.metrics().expired == 0 && limiter.metrics().byRule == 5)
        switch rule {
        case .share, .local: #expect(decisions.count { $0.isAdmitted } == 3)
        case .allow: #expect(decisions.count { $0.isAdmitted } == 5)
        case .deny:
            for decision in decisions {
                guard case .storeDown = decision.outcome else {
                    Issue.record("\(decision)")
                    return
                }
            }
        }
    }
}

/// A request that keeps its reservation.
private final class RunningRequest: Sendable {
    let reservation: Reservation

    init(_ reservation: consuming Reservation) { self.reservation = reservation }
}

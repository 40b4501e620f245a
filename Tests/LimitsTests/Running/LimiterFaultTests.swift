import Engine
import Glibc
import Testing

@testable import Limits

@Suite struct LimiterFaultTests {
    let loops = TestLoops()
    let clock = TestClock()
    let store = HookedStore()
    let events = TestEvents()
    static let minute = Limit(.total, Quota(10, per: .minute))
    static let hour = Limit(.caller(.chat), Quota(10, per: .hour))
    /// A limit for tests with pauses in real time: on a busy machine, they can take more than a minute.
    static let long = Limit(.total, Quota(10, per: .hour))
    static let dollars = Limit(.caller(.chat), Quota(30_000_000_000, .usd, per: .day))

    private func limiter(
        _ rule: StoreDownRule = .local,
        timeoutMilliseconds: Int = 60_000,
        by clock: TestClock? = nil,
        events: TestEvents? = nil
    ) -> Limiter {
        Limiter(
            store: store,
            LimiterOptions(storeDown: rule, timeoutMicroseconds: timeoutMilliseconds * 1_000),
            on: TestLoops.ofStores,
            clock: (clock ?? self.clock).clock,
            onEvent: (events ?? self.events).handler
        )
    }

    private func ask(_ limiter: Limiter, _ limits: [Limit], units: Int = 1) async -> Decision {
        await loops.run { loop in
            await limiter.reserve(limits.map { LimitCharge($0, .everybody, units: units) }, on: loop).decision
        }
    }

    /// Returns the counts of the store's record by bucket, the oldest first.
    private func counted(_ limit: Limit) throws -> [Int] {
        let key = try #require(store.writes.first { $0.contains(limit.id) })
        let value = try #require(store.inner.read([key])[0])
        let record = try Record(value.bytes, limit.layout)
        return (record.oldest...record.newest).map { record.count(in: $0) }.filter { $0 > 0 }
    }

    /// Returns the counts after units that were used after their bucket are moved. The move waits for a second if
    /// nothing else is written.
    private func movedSoon(_ limit: Limit) async throws -> [Int] {
        clock.advance(microseconds: 1_000_000)
        let writes = { store.writes.count { $0.contains(limit.id) } }
        for _ in 0..<400 where writes() < 2 { try await Task.sleep(for: .milliseconds(5)) }
        return try counted(limit)
    }

    @Test("an answer that comes after its bucket's end is not used there: the next write moves the units")
    func late() async throws {
        let limiter = limiter()
        defer { limiter.stop() }
        let clock = clock
        store.order(.thenCall { clock.advance(microseconds: 600_000) })
        let decision = await ask(limiter, [Self.minute])
        #expect(decision.isAdmitted && decision.requests?.remaining == 9)
        #expect(limiter.metrics().late == 1)
        #expect(try await movedSoon(Self.minute) == [1])
        #expect(store.writes.count == 2)
        #expect(decision.requests?.resetMicroseconds ?? 0 > 60_500_000, "counted in the bucket in which it was decided")
    }

    @Test("of several limits only the one that is late is moved")
    func lateOfSeveral() async throws {
        let limiter = limiter()
        defer { limiter.stop() }
        let clock = clock
        store.order(.normal, .thenCall { clock.advance(microseconds: 600_000) })
        #expect(await ask(limiter, [Self.minute, Self.hour]).isAdmitted)
        #expect(try await movedSoon(Self.minute) == [1])
        #expect(try counted(Self.hour) == [1])
        #expect(store.writes.count { $0.contains(Self.minute.id) } == 2)
        #expect(store.writes.count { $0.contains(Self.hour.id) } == 1)
    }

    @Test("a write that may have happened admits nothing; the rule decides", arguments: [true, false])
    func unknownWrite(isDone: Bool) async throws {
        let limiter = limiter(.deny)
        defer { limiter.stop() }
        #expect(await ask(limiter, [Self.minute]).isAdmitted)
        store.order(isDone ? .doneButUnanswered : .notDone)
        guard case .storeDown = await ask(limiter, [Self.minute]).outcome else {
            Issue.record("decided with a store that failed")
            return
        }
        #expect(limiter.metrics().failures == 1)
        // If it was carried out, the next read shows it, and its unit is given back.
        clock.advance(microseconds: 1_100_000)
        #expect(await events.reached(1, \.isBack))
        for _ in 0..<2_000 {
            if try counted(Self.minute) == [1] { break }
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(try counted(Self.minute) == [1])
    }

    @Test(
        "more than an instance's part, of a limit that is not used up, cannot be checked",
        arguments: [long, dollars]
    )
    func moreThanPart(limit: Limit) async throws {
        let units = limit.quota.count * 2 / 3
        let clock = TestClock(slowness: 100)
        // The first instance may be back earlier than the second.
        let eventsOfFirst = TestEvents()
        let (first, second) = (limiter(.share, by: clock, events: eventsOfFirst), limiter(.share, by: clock))
        defer { for limiter in [first, second] { limiter.stop() } }
        #expect(await ask(first, [limit]).isAdmitted)
        for _ in 0..<2_000 where second.metrics().instances < 2 {
            // An instance that looked before the other began looks again later.
            clock.advance(microseconds: 50_000)
            try await Task.sleep(for: .milliseconds(5))
        }
        // The other instance may write first.
        store.order(.notDone, .notDone, .notDone, .notDone)
        store.setDown(true)
        for isBack in [false, true] {
            let decision = await ask(second, [limit], units: units)
            let left = (decision.requests ?? decision.budget)?.remaining
            #expect(decision.isUnchecked && left == limit.quota.count - 1, "\(decision)")
            if isBack { break }
            store.forget()
            store.setDown(false)
            clock.advance(microseconds: 1_000_001)
            #expect(await events.reached(1, \.isBack))
        }
        #expect(![events, eventsOfFirst].contains { $0.contains(\.isOfBudget) }, "no alert")
        clock.advance(microseconds: 2_000_001)
        #expect(await ask(second, [limit], units: units).isAdmitted)
    }

    @Test("a give-back without an answer is made once", arguments: [true, false])
    func unknownGiveBack(isDone: Bool) async throws {
        let limiter = limiter()
        defer { limiter.stop() }
        let other = Limiter(
            store: store,
            LimiterOptions(timeoutMicroseconds: 60_000_000),
            on: TestLoops.ofStores,
            clock: clock.clock
        )
        defer { other.stop() }
        // `hour` is counted. Then `other` uses the day's last unit, so that the hour's unit is refunded by a write
        // without a response.
        let day = Limit(.key(nil), Quota(2, per: .day))  // its store key comes after the hour's
        #expect(await ask(limiter, [Self.hour, day]).isAdmitted)
        let otherLoops = TestLoops()
        store.order(
            .thenCall {
                let done = Lock(false)
                Task {
                    _ = await otherLoops.run { await other.reserve([LimitCharge(day, .everybody)], on: $0).decision }
                    done.withLock { $0 = true }
                }
                while !done.withLock({ $0 }) { usleepBriefly() }
            },
            .normal,
            .loseRace,
            isDone ? .doneButUnanswered : .notDone
        )
        let refused = await ask(limiter, [Self.hour, day])
        #expect(refused.refusal?.limit == day)
        #expect(await events.reached(1, \.isDown))
        clock.advance(microseconds: 1_100_000)
        #expect(await events.reached(1, \.isBack))
        #expect(await ask(limiter, [Self.hour]).isAdmitted)
        #expect(try counted(Self.hour).reduce(0, +) == 2)
    }

    @Test("a lost race is run again, and counts once")
    func lostRaces() async throws {
        let limiter = limiter()
        defer { limiter.stop() }
        store.order(.loseRace, .loseRace)
        #expect(await ask(limiter, [Self.minute]).isAdmitted)
        #expect(try counted(Self.minute) == [1])
        #expect(limiter.metrics().lostRaces == 2)
    }

    @Test("a record that the store does not take is alone under the rule; what was admitted is added")
    func refusedWrite() async throws {
        let limiter = limiter()
        defer { limiter.stop() }
        store.order(.refuse)
        #expect(await ask(limiter, [Self.minute]).isAdmitted)
        #expect(limiter.metrics().byRule == 1 && limiter.metrics().failures == 0)
        #expect(await ask(limiter, [Self.hour]).isAdmitted)
        #expect(limiter.metrics().byRule == 1)
        clock.advance(microseconds: 1_000_001)
        #expect(await ask(limiter, [Self.minute]).requests?.remaining == 8)
        #expect(try counted(Self.minute).reduce(0, +) == 2)
    }

    @Test("an outage after one of a single record divides what is left by then")
    func outageAfterRefusedWrite() async {
        let options = LimiterOptions(instances: 2, timeoutMicroseconds: 60_000_000)
        let limiters = (0..<2).map { _ in Limiter(store: store, options, on: TestLoops.ofStores, clock: clock.clock) }
        defer { for limiter in limiters { limiter.stop() } }
        store.order(.refuse)
        #expect(await ask(limiters[0], [Self.long]).isAdmitted)
        clock.advance(microseconds: 1_000_001)
        #expect(await reaches { store.writes.count == 2 })
        #expect(await ask(limiters[1], [Self.long], units: 8).isAdmitted)
        let charge = LimitCharge(Self.long, .everybody)
        limiters[0].ledger.update { ledger, now in
            // As each minute.
            if let account = ledger.account(of: charge, at: now) { ledger.compare(account) }
        }
        #expect(await reaches { limiters[0].knownUses([charge])[0].used == 9 })
        store.setDown(true)
        limiters[0].ledger.update { ledger, now in
            ledger.fail(0, epoch: ledger.servers[0].epoch, "test", at: now)
        }
        #expect(await ask(limiters[0], [Self.long], units: 2).isAdmitted == false)
    }

    @Test("a request's time is up while a call hangs: the rule decides, and the write does not count besides")
    func hangs() async throws {
        let limiter = limiter(timeoutMilliseconds: 3_000)
        defer { limiter.stop() }
        let gate = Lock(false)
        store.order(.thenCall { while !gate.withLock({ $0 }) { usleepBriefly() } })
        let decision = await ask(limiter, [Self.long])
        #expect(decision.isAdmitted && limiter.metrics().expired == 1 && limiter.metrics().byRule == 1)
        gate.withLock { $0 = true }
        clock.advance(microseconds: 1_000_001)
        // The hanging write has counted a unit that was not used, which is given back. The admitted one was added.
        var left = 0
        for _ in 0..<200 {
            left = await ask(limiter, [Self.long], units: 0).requests?.remaining ?? 0
            if left == 9 { break }
            usleepBriefly()
        }
        #expect(left == 9)
    }

    @Test("whatever becomes of writes, no limit lets more than N through, and no request is left waiting")
    func random() async throws {
        for seed in 0..<12 {
            let (clock, store) = (TestClock(), HookedStore())
            let limiters = (0..<2)
                .map { _ in
                    Limiter(
                        store: store,
                        // Several writes of one call may each take half a minute.
                        LimiterOptions(storeDown: .deny, timeoutMicroseconds: 200_000_000),
                        on: TestLoops.ofStores,
                        clock: clock.clock
                    )
                }
            defer { for limiter in limiters { limiter.stop() } }
            let loops = TestLoops(2)
            let total = Limit(.total, Quota(90, per: .hour))
            let own = Limit(.caller(.chat), Quota(25, per: .hour))
            let tokens = Limit(.key(nil), Quota(400, .tokens, per: .hour))
            let callers = (0..<5).map { Identity.address("192.0.2.\($0)") }
            var dice = Dice(seed: seed)
            var admitted = [Int](repeating: 0, count: callers.count)
            for _ in 0..<12 {
                for _ in 0..<30 {
                    switch dice.below(40) {
                    case 0: store.order(.doneButUnanswered)
                    case 1: store.order(.notDone)
                    case 2: store.order(.refuse)
                    case 3..<8: store.order(.loseRace)
                    case 8: store.order(.thenCall { clock.advance(microseconds: 31_000_000) })
                    default: store.order(.normal)
                    }
                }
                let decisions = await loops.run(40) { index, loop in
                    let caller = callers[index % 5]
                    let charges = [
                        LimitCharge(total, .everybody), LimitCharge(own, caller),
                        LimitCharge(tokens, caller, units: 10),
                    ]
                    return await limiters[index % 2].reserve(charges, on: loop).decision
                }
                for (index, decision) in decisions.enumerated() where decision.isAdmitted { admitted[index % 5] += 1 }
                store.forget()
                clock.advance(microseconds: 1_100_000)
                for limiter in limiters { #expect(await limiter.isUp()) }
            }
            #expect(admitted.reduce(0, +) <= 90 && admitted.allSatisfy { $0 <= 25 }, "seed \(seed): \(admitted)")
            #expect(limiters.allSatisfy { $0.metrics().expired == 0 }, "seed \(seed)")
            #expect(admitted.reduce(0, +) > 20)
        }
    }

    /// Running requests keep an account that was dropped for others.
    @Test("an account whose predecessor still settles is used again after an outage")
    func droppedAccount() async {
        let options = LimiterOptions(storeDown: .local, timeoutMicroseconds: 500_000, bytes: 4_000)
        let limiter = Limiter(store: store, options, on: TestLoops.ofStores, clock: clock.clock)
        defer { limiter.stop() }
        let tokens = Limit(.total, Quota(100, .tokens, per: .hour))
        let running = await ask(limiter, [tokens], units: 50)
        for limit in [Self.minute, Self.hour] { #expect(await ask(limiter, [limit], units: 8).isAdmitted) }
        store.order(
            .thenCall {
                limiter.settle(running.held, Amounts(tokens: 10))
                limiter.ledger.update { ledger, now in
                    ledger.fail(0, epoch: ledger.servers[0].epoch, "test", at: now)
                }
            }
        )
        #expect(await ask(limiter, [tokens], units: 50).isAdmitted)
        clock.advance(microseconds: 1_000_001)
        #expect(await limiter.isUp())
        #expect(await ask(limiter, [tokens], units: 30).isAdmitted)
        #expect(await ask(limiter, [tokens], units: 20).isAdmitted == false)
    }

    @Test("a call that does not come back at all puts its server out of use")
    func stuck() async throws {
        let limiter = limiter(timeoutMilliseconds: 3_000)
        let gate = Lock(false)
        defer {
            gate.withLock { $0 = true }
            limiter.stop()
        }
        store.order(.thenCall { while !gate.withLock({ $0 }) { usleepBriefly() } })
        #expect(await ask(limiter, [Self.long]).isAdmitted)
        store.setDown(true)  // for probes
        clock.advance(microseconds: 1_000_001)  // the record is no longer under the rule, the call still under way
        #expect(await ask(limiter, [Self.long]).isAdmitted)
        #expect(await events.reached(1, \.isDown))
        let expired = limiter.metrics().expired
        for _ in 0..<8 { #expect(await ask(limiter, [Self.long]).isAdmitted) }
        #expect(await ask(limiter, [Self.long]).isAdmitted == false, "\(limiter.metrics())")
        #expect(limiter.metrics().expired == expired)
    }

    @Test("the rule decides, too, if a timer is late while a call hangs")
    func stuckAndLate() {
        let options = LimiterOptions(storeDown: .local, timeoutMicroseconds: 250_000)
        var ledger = Ledger(store: store, options: options, random: SystemRandomNumberGenerator())
        func after(_ milliseconds: Int) -> ClockReading {
            ClockReading(wall: epoch + milliseconds * 1_000, steady: milliseconds * 1_000)
        }
        guard case .waits(let request) = ledger.ask([LimitCharge(Self.long, .everybody)], at: after(0), { Nobody() })
        else { return #expect(Bool(false), "decided at once") }
        guard case .call = ledger.step(0, at: after(0)) else { return #expect(Bool(false), "no call") }
        #expect(ledger.expire(request, at: after(310)) == 560_000, "due at 250")
        #expect(ledger.expire(request, at: after(555)) == 560_000)
        #expect(ledger.expire(request, at: after(560)) == nil && request.decision?.isAdmitted == true)
    }

    @Test("nobody waits while the server is down; it is tried once a second, and used when it is back")
    func probes() async throws {
        let limiter = limiter()
        defer { limiter.stop() }
        store.order(.notDone)
        store.setDown(true)
        #expect(await ask(limiter, [Self.long]).isAdmitted)
        #expect(await events.reached(1, \.isDown))
        let reads = store.reads
        for _ in 0..<9 { #expect(await ask(limiter, [Self.long]).isAdmitted) }
        #expect(await ask(limiter, [Self.long]).isAdmitted == false)
        #expect(store.reads == reads)
        store.setDown(false)
        clock.advance(microseconds: 1_000_001)
        #expect(await events.reached(1, \.isBack))
        #expect(await ask(limiter, [Self.long]).isAdmitted == false)
    }
}

private func usleepBriefly() { usleep(1_000) }

private final class Nobody: DecisionWaiter {
    func decided(_ decision: Decision) {}
    func retimed() {}
}

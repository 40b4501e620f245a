import Engine
import Support
import Testing

@testable import Limits

/// Limits whose number changes while they are in use, as after a reload.
@Suite struct ChangedNumberTests {
    private let who = Identity.knownKey(named: "TEAM")

    private func limit(_ count: Int, _ unit: Quota.Unit = .requests) -> Limit {
        Limit(.key(nil), Quota(count, unit, per: .hour))
    }

    private func admitted(_ count: Int, _ limiter: Limiter, _ limit: Limit, _ loops: TestLoops) async -> Int {
        var admitted = 0
        for _ in 0..<count {
            let charge = LimitCharge(limit, who)
            admitted += await loops.run { await limiter.reserve([charge], on: $0).decision.isAdmitted } ? 1 : 0
        }
        return admitted
    }

    @Test("a raised limit leaves the difference, a lowered one nothing until units are free, in memory")
    func memory() async throws {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let loops = TestLoops()
        #expect(await admitted(8, limiter, limit(5), loops) == 5)
        #expect(await admitted(8, limiter, limit(6), loops) == 1)
        #expect(await admitted(8, limiter, limit(4), loops) == 0)
        let charge = LimitCharge(limit(7), who)
        #expect(limiter.knownUses([charge])[0].left == 1)
        clock.advance(microseconds: 3_700_000_000)
        #expect(await admitted(8, limiter, limit(4), loops) == 4)
    }

    @Test("slots beyond a lowered number stay with their requests, and no more are given")
    func slots() {
        let slots = { Limit(.provider, Quota($0, .concurrent, per: .second)) }
        let counter = SlotCounter(slots(3), isShared: false, sums: CounterSums(), instance: 1, slotMicroseconds: 1)
        _ = counter.charge(3, at: epoch)
        counter.use(slots(2))
        #expect(!counter.hasRoom(for: 1, at: epoch))
        counter.settle(1, used: nil, in: .nowhere, at: epoch)
        #expect(!counter.hasRoom(for: 1, at: epoch))
        counter.use(slots(3))
        #expect(counter.hasRoom(for: 1, at: epoch) && !counter.hasRoom(for: 2, at: epoch))
    }

    @Test("instances with different numbers share one record, and each admits up to its own number")
    func shared() async throws {
        let memcached = try MemcachedProcess()
        let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000)
        let limiters = (0..<2).map { _ in
            Limiter(store: store, LimiterOptions(timeoutMicroseconds: 2_000_000), on: TestLoops.ofStores)
        }
        defer { for limiter in limiters { limiter.stop() } }
        let loops = TestLoops.lasting
        #expect(await admitted(8, limiters[0], limit(5), loops) == 5)
        #expect(await admitted(8, limiters[1], limit(7), loops) == 2)
        #expect(await admitted(8, limiters[0], limit(6), loops) == 0)
        #expect(await admitted(8, limiters[0], limit(8), loops) == 1)
    }

    /// A store in which an earlier version of the relay has counted `units` of a limit.
    private func formerStore(_ limit: Limit, units: Int, at time: Int) -> MemoryCounters {
        let store = MemoryCounters { time / 1_000_000 }
        var record = Record(limit.layout, at: time, birth: 7)
        record.charge(units)
        _ = try? store.add(
            "relay:1:key.requests.5.3600:" + who.storeKey(limit).suffix(22),
            record.encoded(),
            expirySeconds: 7_200
        )
        return store
    }

    @Test("what an earlier version counted is read at the first use, until two windows after the start")
    func formerRecords() async throws {
        let (clock, loops) = (TestClock(), TestLoops.lasting)
        let store = formerStore(limit(5), units: 3, at: clock.clock.now().wall)
        let options = LimiterOptions(timeoutMicroseconds: 2_000_000, readsFormerKeys: true)
        let limiter = Limiter(store: store, options, on: TestLoops.ofStores, clock: clock.clock)
        defer { limiter.stop() }
        #expect(await admitted(8, limiter, limit(5), loops) == 2)
        // The counts have moved to the new record, which an instance that asks later finds.
        let later = Limiter(store: store, on: TestLoops.ofStores, clock: clock.clock)
        defer { later.stop() }
        #expect(await admitted(8, later, limit(6), loops) == 1)
    }

    @Test("a reset also empties what an earlier version counted")
    func formerReset() async throws {
        let (clock, loops) = (TestClock(), TestLoops.lasting)
        let store = formerStore(limit(5), units: 3, at: clock.clock.now().wall)
        let options = LimiterOptions(timeoutMicroseconds: 2_000_000, readsFormerKeys: true)
        let limiter = Limiter(store: store, options, on: TestLoops.ofStores, clock: clock.clock)
        let shared = SharedState(store, timeoutMilliseconds: 2_000)
        defer {
            limiter.stop()
            shared.stop()
        }
        let charge = LimitCharge(limit(5), who)
        _ = await loops.run { try? await limiter.reset(charge, in: shared, on: $0) }
        #expect(await admitted(8, limiter, limit(5), loops) == 5)
    }

    @Test("counters that an earlier version saved are found by their former keys")
    func formerFile() throws {
        let limit = limit(5)
        var record = Record(limit.layout, at: epoch)
        record.charge(3)
        let (first, second, _, _) = Digest(of: "key.requests.5.3600").words
        let (high, low, _, _) = who.digest.words
        let saved = SavedCounter(
            key: RecordKey(high ^ first, low ^ second),
            windowSeconds: 3_600,
            record: record.encoded()
        )
        var counters = try SavedCounters(CounterFile(behindMicroseconds: 0, [saved]), at: epoch)
        #expect(counters.contains(RecordKey(limit, who), limit))
        #expect(!counters.contains(RecordKey(limit, who), self.limit(6)))
        #expect(counters.restore(RecordKey(limit, who), limit)?.total == 3)
        #expect(counters.isEmpty)
    }

    @Test("an amount that is given back is free at once, and never more than was counted")
    func givenBack() async throws {
        let limiter = Limiter(store: nil, clock: TestClock().clock)
        let loops = TestLoops()
        let charge = LimitCharge(limit(5), who)
        #expect(await admitted(8, limiter, limit(5), loops) == 5)
        func giveBack(_ units: Int) async -> Int? {
            await loops.run { try? await limiter.giveBack(units, of: charge, in: nil, on: $0).units }
        }
        #expect(await giveBack(2) == 2)
        #expect(await admitted(8, limiter, limit(5), loops) == 2)
        #expect(await giveBack(20) == 5)
        #expect(await giveBack(1) == 0)
        #expect(await admitted(8, limiter, limit(5), loops) == 5)
    }

    @Test("what one instance gives back is not charged again after a loss, whichever instance served the caller")
    func givenBackElsewhere() async throws {
        let memcached = try MemcachedProcess()
        let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 60_000)
        let limiters = (0..<2).map { _ in
            Limiter(store: store, LimiterOptions(timeoutMicroseconds: 60_000_000), on: TestLoops.ofStores)
        }
        let shared = SharedState(store, timeoutMilliseconds: 2_000)
        defer {
            for limiter in limiters { limiter.stop() }
            shared.stop()
        }
        let (loops, charge) = (TestLoops.lasting, LimitCharge(limit(5), who))
        func giveBack() async -> (units: Int, key: String?)? {
            await loops.run { try? await limiters[1].giveBack(2, of: charge, in: shared, on: $0) }
        }
        func knows(_ limiter: Limiter, used: Int) async throws -> Bool {
            for _ in 0..<500 where limiter.knownUses([charge])[0].used != used {
                try await Task.sleep(for: .milliseconds(20))
            }
            return limiter.knownUses([charge])[0].used == used
        }
        #expect(await giveBack()?.units == 0)
        #expect(await admitted(8, limiters[0], limit(5), loops) == 5)
        let given = await giveBack()
        #expect(given?.units == 2)
        #expect(try await knows(limiters[1], used: 3))
        #expect(limiters[0].knownUses([charge])[0].used == 5)
        limiters[0].compare(Set([given?.key].compactMap(\.self)))
        #expect(try await knows(limiters[0], used: 3))
        _ = memcached.say("flush_all")
        #expect(await admitted(8, limiters[0], limit(5), loops) == 2)
    }

    @Test("an amount is given back in the store, from the newest buckets first")
    func givenBackInStore() async throws {
        let memcached = try MemcachedProcess()
        let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000)
        let options = LimiterOptions(timeoutMicroseconds: 2_000_000)
        let limiter = Limiter(store: store, options, on: TestLoops.ofStores)
        let shared = SharedState(store, timeoutMilliseconds: 2_000)
        defer {
            limiter.stop()
            shared.stop()
        }
        let (loops, charge) = (TestLoops.lasting, LimitCharge(limit(5), who))
        #expect(await admitted(8, limiter, limit(5), loops) == 5)
        _ = await loops.run { try? await limiter.giveBack(2, of: charge, in: shared, on: $0) }
        #expect(await admitted(8, limiter, limit(5), loops) == 2)
        #expect(try LimitReader(store, slotSeconds: 30).giveBack(1, of: charge) == who.storeKey(limit(5)))
        #expect(try LimitReader(store, slotSeconds: 30).read([charge])[0].used == 4)
        var record = Record(limit(5).layout, at: epoch)
        record.charge(3)
        record.roll(to: epoch + 60_000_000)
        record.charge(4)
        record.giveBack(5)
        #expect(record.total == 2 && record.count(in: record.newest) == 0)
    }
}

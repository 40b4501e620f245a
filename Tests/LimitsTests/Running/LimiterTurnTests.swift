import Engine
import Support
import Testing

@testable import Limits

/// The times at which requests were admitted.
private final class AdmissionTimes: Sendable {
    private let times = Lock<[(time: Int, units: Int)]>([])

    func add(_ units: Int) {
        times.withLock { $0.append((Int(LoopTime.current().nanoseconds(since: start)) / 1_000, units)) }
    }

    private let start = LoopTime.current()

    var sorted: [(time: Int, units: Int)] { times.withLock { $0 }.sorted { $0.time < $1.time } }
}

extension Limiter {
    /// The requests that wait and need no call to the store until they are woken.
    private var sleepers: [Pending] {
        ledger.update { ledger, _ in
            var all: [ObjectIdentifier: Pending] = [:]
            ledger.accounts.forEach { account in
                for request in account.sleepers + account.slotQueue + account.behind {
                    all[ObjectIdentifier(request)] = request
                }
            }
            return Array(all.values)
        }
    }

    /// The number of requests that wait and need no call to the store until they are woken.
    var asleep: Int { sleepers.count }

    /// The turns of the requests that wait for one, in their order.
    fileprivate var turns: [Int] { sleepers.compactMap { $0.wait?.turnAt }.sorted() }

    /// Decides anew about all requests that wait, with these charges.
    func change(to charges: [LimitCharge]) {
        let waiting = sleepers
        ledger.update { ledger, now in ledger.change(waiting.map { ($0, charges, 0) }, at: now) }
    }
}

@Suite struct LimiterTurnTests {
    let loops = TestLoops(2)
    let who = Identity.passedKey(Digest(of: "key"))
    static let minute = Limit(.caller(.chat), Quota(3, per: .minute))

    private func patience(_ seconds: Double, _ caller: Identity? = nil) -> LimitPatience {
        LimitPatience(microseconds: Int(seconds * 1e6), caller: caller ?? who)
    }

    private func limiter(_ isShared: Bool, _ clock: TestClock, _ store: HookedStore = HookedStore()) -> Limiter {
        let options = LimiterOptions(timeoutMicroseconds: 5_000_000)
        return isShared
            ? Limiter(store: store, options, on: TestLoops.ofStores, clock: clock.clock)
            : Limiter(store: nil, clock: clock.clock)
    }

    /// Starts requests that wait, and returns their decisions once all have one.
    private func ask(
        _ count: Int,
        _ limiter: Limiter,
        _ charges: [LimitCharge],
        _ patience: LimitPatience?
    ) -> Task<[Decision], Never> {
        let loops = loops
        return Task {
            await loops.run(count) { _, loop in await limiter.reserve(charges, patience, on: loop).decision }
        }
    }

    private func isAdmitted(_ limiter: Limiter, _ charges: [LimitCharge], _ patience: LimitPatience?) async -> Bool {
        await ask(1, limiter, charges, patience).value[0].isAdmitted
    }

    @Test("requests without room wait for their turn, in their order, and no longer than they may")
    func waitsInMemory() async throws {
        let clock = TestClock(slowness: 20)
        let limiter = Limiter(store: nil, clock: clock.clock)
        let charges = [LimitCharge(Self.minute, who)]
        #expect(await ask(3, limiter, charges, nil).value.allSatisfy { $0.isAdmitted })
        let first = ask(3, limiter, charges, patience(62))
        await waits(3, limiter)
        // The turns of the first three are taken, so the next ones would have to wait for two minutes.
        let refused = await ask(1, limiter, charges, patience(62)).value[0]
        let back = try #require(refused.refusal?.retryAfterMicroseconds)
        #expect(back > 55_000_000 && back < 61_000_000, "the instant from which a turn is within the patience")
        #expect(limiter.metrics().turns(.refused) == 1)
        let second = ask(2, limiter, charges, patience(125))
        await waits(5, limiter)
        clock.advance(microseconds: 59_000_000)
        try await Task.sleep(for: .milliseconds(60))
        #expect(limiter.metrics().waiting == 5)
        clock.advance(microseconds: 2_000_000)
        for decision in await first.value {
            #expect(decision.isAdmitted && decision.waitedMicroseconds > 59_000_000)
        }
        #expect(limiter.metrics().waiting == 2)
        #expect(await !isAdmitted(limiter, charges, nil), "the room belongs to those who wait")
        clock.advance(microseconds: 61_000_000)
        #expect(await second.value.allSatisfy { $0.isAdmitted })
        let figures = limiter.metrics()
        #expect(figures.waiting == 0 && figures.turns(.used) == 5 && figures.turns(.moved) == 0)
        #expect(figures.waits[Self.minute.kind.index].counts.dropLast().reduce(0, +) == 5)
    }

    @Test("a request waits until all its limits have room, and keeps out what would delay it")
    func severalLimits() async throws {
        let clock = TestClock(slowness: 20)
        let limiter = Limiter(store: nil, clock: clock.clock)
        let second = Limit(.key(nil), Quota(1, per: .second))
        let both = [LimitCharge(Self.minute, who), LimitCharge(second, who)]
        #expect(await isAdmitted(limiter, both, nil))
        let next = ask(1, limiter, both, patience(10))
        await waits(1, limiter)
        #expect(limiter.knownUses(both).map(\.used) == [2, 1])
        // The turn of a second's limit is in the present bucket of the minute's.
        #expect(await !isAdmitted(limiter, [LimitCharge(second, who)], nil))
        clock.advance(microseconds: 1_100_000)
        #expect(await next.value[0].isAdmitted)
        #expect(await isAdmitted(limiter, [LimitCharge(Self.minute, who)], nil))
        let last = ask(1, limiter, both, patience(90))
        await waits(1, limiter)
        clock.advance(microseconds: 58_000_000)
        #expect(limiter.metrics().waiting == 1)
        clock.advance(microseconds: 2_000_000)
        #expect(await last.value[0].isAdmitted)
        let slots = Limit(.key(nil), Quota(1, .concurrent, per: .second))
        let held = await loops.run { await limiter.reserve([LimitCharge(slots, who)], on: $0).decision.isAdmitted }
        #expect(held)
    }

    @Test("a request whose client leaves gives its turn back, and the next one takes it")
    func leaves() async throws {
        let clock = TestClock(slowness: 20)
        let limiter = Limiter(store: nil, clock: clock.clock)
        let charges = [LimitCharge(Self.minute, who)]
        #expect(await ask(3, limiter, charges, nil).value.allSatisfy { $0.isAdmitted })
        let loop = TestLoops.ofStores[0]
        let leaving = (0..<3).map { _ in
            Task(executorPreference: loop) { await limiter.reserve(charges, patience(62), on: loop).decision }
        }
        await waits(3, limiter)
        #expect(await !isAdmitted(limiter, charges, patience(62)))
        leaving[0].cancel()
        #expect(await !leaving[0].value.isAdmitted)
        #expect(limiter.metrics().waiting == 2 && limiter.metrics().turns(.left) == 1)
        let next = ask(1, limiter, charges, patience(62))
        await waits(3, limiter)
        clock.advance(microseconds: 61_000_000)
        #expect(await next.value[0].isAdmitted)
        for task in leaving.dropFirst() { #expect(await task.value.isAdmitted) }
    }

    /// Lets three requests be admitted twenty seconds apart, so that the turns of the next three are as far apart.
    private func spread(_ limiter: Limiter, _ charges: [LimitCharge], _ clock: TestClock) async {
        for _ in 0..<3 {
            #expect(await isAdmitted(limiter, charges, nil))
            clock.advance(microseconds: 20_000_000)
        }
    }

    @Test("those behind a client that leaves move up, in their order", arguments: [false, true])
    func movesUp(isShared: Bool) async throws {
        let clock = TestClock(slowness: 20)
        let limiter = limiter(isShared, clock)
        defer { if isShared { limiter.stop() } }
        let charges = [LimitCharge(Self.minute, who)]
        await spread(limiter, charges, clock)
        // A minute has passed, less what the buckets round: the turns are soon, in 20 and in 40 seconds.
        let loop = TestLoops.ofStores[0]
        var waiting: [Task<Decision, Never>] = []
        for number in 0..<3 {
            waiting.append(
                Task(executorPreference: loop) { await limiter.reserve(charges, patience(80), on: loop).decision }
            )
            await waits(number + 1, limiter)
        }
        waiting[0].cancel()
        #expect(await !waiting[0].value.isAdmitted)
        clock.advance(microseconds: 5_000_000)
        #expect(await waiting[1].value.isAdmitted)
        try await Task.sleep(for: .milliseconds(60))
        #expect(limiter.metrics().waiting == 1, "the last one moved up to the second's turn only")
        clock.advance(microseconds: 20_000_000)
        #expect(await waiting[2].value.isAdmitted)
        #expect(limiter.metrics().turns(.moved) == 0)
    }

    /// New settings of the limit of 30 per minute, and how many requests more have room once 60 that waited were admitted.
    struct NewSettings: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let quotas: [Quota]
        let room: Int
    }

    @Test(
        "those who wait begin at once when a reload raises, removes or replaces the limit, before others",
        arguments: [
            NewSettings(testDescription: "raised", quotas: [Quota(91, per: .minute)], room: 1),
            NewSettings(testDescription: "removed", quotas: [], room: 3),
            NewSettings(testDescription: "replaced", quotas: [Quota(62, per: .hour)], room: 2),
        ],
        [false, true]
    )
    func changed(new: NewSettings, isShared: Bool) async throws {
        let clock = TestClock(slowness: 20)
        let limiter = limiter(isShared, clock)
        defer { if isShared { limiter.stop() } }
        let low = LimitCharge(Limit(.caller(.chat), Quota(30, per: .minute)), who)
        let day = LimitCharge(Limit(.caller(.chat), Quota(1_000, per: .day)), who)
        #expect(await ask(30, limiter, [low, day], nil).value.allSatisfy { $0.isAdmitted })
        let waiting = ask(60, limiter, [low, day], patience(400))
        await waits(60, limiter)
        let charges = new.quotas.map { LimitCharge(Limit(.caller(.chat), $0), who) } + [day]
        limiter.change(to: charges)
        for decision in await waiting.value {
            #expect(decision.isAdmitted && decision.waitedMicroseconds < 10_000_000)
        }
        let next = await ask(3, limiter, charges, nil).value
        #expect(next.count { $0.isAdmitted } == new.room)
        #expect(limiter.metrics().waiting == 0 && limiter.asleep == 0)
        #expect(limiter.knownUses([day]).map(\.used) == [90 + new.room])
    }

    @Test("turns stay when a reload changes the limit while the store is unavailable", arguments: [true, false])
    func changedInOutage(isLimited: Bool) async {
        let clock = TestClock(slowness: 20)
        let store = HookedStore()
        let limiter = limiter(true, clock, store)
        defer { limiter.stop() }
        let charges = [LimitCharge(Self.minute, who)]
        #expect(await ask(3, limiter, charges, nil).value.allSatisfy { $0.isAdmitted })
        let counted = wait(limiter, charges)
        await waits(1, limiter)
        store.setDown(true)
        store.order(.notDone)
        _ = await isAdmitted(limiter, [LimitCharge(Self.minute, .passedKey(Digest(of: "other")))], nil)
        let raised = LimitCharge(Limit(.caller(.chat), Quota(4, per: .minute)), who)
        limiter.change(to: isLimited ? [raised] : [])
        #expect(limiter.metrics().waiting == (isLimited ? 1 : 0))
        clock.advance(microseconds: 61_000_000)
        #expect(await counted.value == (isLimited ? [3] : []))
    }

    /// Starts a request that waits. Returns the numbers of the limits that counted it in the end; nil if it is refused.
    private func wait(_ limiter: Limiter, _ charges: [LimitCharge]) -> Task<[Int]?, Never> {
        let (loops, patience) = (loops, patience(100))
        return Task {
            await loops.run { loop in
                let wait = LoopWait(loop)
                let decision = await limiter.reserve(charges, patience, as: wait, on: loop).decision
                return decision.isAdmitted ? wait.charges?.map(\.limit.quota.count) : nil
            }
        }
    }

    @Test("what was counted is known by the limits of the last reload", arguments: [false, true])
    func countedAsChanged(isShared: Bool) async {
        let clock = TestClock(slowness: 20)
        let limiter = limiter(isShared, clock)
        defer { if isShared { limiter.stop() } }
        let charges = [LimitCharge(Self.minute, who)]
        #expect(await ask(3, limiter, charges, nil).value.allSatisfy { $0.isAdmitted })
        let counted = wait(limiter, charges)
        await waits(1, limiter)
        let day = LimitCharge(Limit(.caller(.chat), Quota(1_000, per: .day)), who)
        limiter.change(to: [LimitCharge(Limit(.caller(.chat), Quota(4, per: .minute)), who), day])
        #expect(await counted.value == [4, 1_000])
    }

    @Test("a wait that a reload ends with a refusal is counted once", arguments: [false, true])
    func refusedByChange(isShared: Bool) async {
        let clock = TestClock(slowness: 20)
        let limiter = limiter(isShared, clock)
        defer { if isShared { limiter.stop() } }
        let charges = [LimitCharge(Self.minute, who)]
        let hour = [LimitCharge(Limit(.caller(.chat), Quota(3, per: .hour)), who)]
        #expect(await ask(3, limiter, charges + hour, nil).value.allSatisfy { $0.isAdmitted })
        let waiting = ask(1, limiter, charges, patience(100))
        await waits(1, limiter)
        limiter.change(to: hour)
        #expect(await waiting.value[0].refusal?.limit.quota.timeUnit == .hour)
        #expect(limiter.metrics().turns(.refused) == 1 && limiter.metrics().waiting == 0)
    }

    @Test(
        "one of several callers has turns in a twentieth of their limit, so that others need not wait for its rest",
        arguments: [false, true]
    )
    func fair(isShared: Bool) async throws {
        let clock = TestClock(slowness: 20)
        let limiter = limiter(isShared, clock)
        defer { if isShared { limiter.stop() } }
        let charges = [LimitCharge(Limit(.total, Quota(40, per: .minute)), .everybody)]
        #expect(await ask(40, limiter, charges, nil).value.allSatisfy { $0.isAdmitted })
        let greedy = ask(60, limiter, charges, patience(300))
        await waits(60, limiter)
        let modest = (0..<5)
            .map { ask(2, limiter, charges, patience(200, .passedKey(Digest(of: "modest \($0)")))) }
        await waits(70, limiter)
        clock.advance(microseconds: 65_000_000)
        for each in modest {
            for decision in await each.value {
                #expect(decision.isAdmitted && decision.waitedMicroseconds < 80_000_000)
            }
        }
        await waits(30, limiter)
        clock.advance(microseconds: 65_000_000)
        #expect(await greedy.value.allSatisfy { $0.isAdmitted })
    }

    @Test("a turn that has moved up is a part of its caller's twentieth", arguments: [false, true])
    func movedTurnCounts(isShared: Bool) async {
        let clock = TestClock(slowness: 20)
        let limiter = limiter(isShared, clock)
        defer { if isShared { limiter.stop() } }
        let total = Limit(.total, Quota(40, .tokens, per: .minute))
        let charges = { @Sendable in [LimitCharge(total, .everybody, units: $0)] }
        #expect(await isAdmitted(limiter, charges(38), nil))
        clock.advance(microseconds: 20_000_000)
        #expect(await isAdmitted(limiter, charges(2), nil))
        let loop = TestLoops.ofStores[0]
        let other = patience(100, .passedKey(Digest(of: "other")))
        let leaving = Task(executorPreference: loop) {
            await limiter.reserve(charges(38), other, on: loop).decision
        }
        await waits(1, limiter)
        let greedy = ask(1, limiter, charges(2), patience(100))
        await waits(2, limiter)
        let former = limiter.turns
        leaving.cancel()
        #expect(await !leaving.value.isAdmitted)
        #expect(await reaches { limiter.turns == former.dropLast() })
        let behind = ask(1, limiter, charges(2), patience(100))
        await waits(2, limiter)
        #expect(limiter.turns.count == 1)
        clock.advance(microseconds: 41_000_000)
        #expect(await greedy.value[0].isAdmitted)
        #expect(await behind.value[0].isAdmitted)
    }

    @Test("units that another instance gives back move turns up within a second")
    func settledElsewhere() async throws {
        let (clock, store) = (TestClock(slowness: 20), HookedStore())
        let limiters = (0..<2).map { _ in limiter(true, clock, store) }
        defer { for limiter in limiters { limiter.stop() } }
        let tokens = Limit(.caller(.chat), Quota(100, .tokens, per: .minute))
        let running = await ask(1, limiters[0], [LimitCharge(tokens, who, units: 90)], nil).value[0]
        let next = ask(1, limiters[1], [LimitCharge(tokens, who, units: 50)], patience(80))
        await waits(1, limiters[1])
        let writes = limiters[0].metrics().writes
        limiters[0].settle(running.held, Amounts(tokens: 10))
        #expect(await reaches { limiters[0].metrics().writes > writes })
        clock.advance(microseconds: 1_100_000)
        let decision = await next.value[0]
        #expect(decision.isAdmitted && decision.waitedMicroseconds < 5_000_000)
    }

    @Test("a turn that a running request's use has filled meanwhile is moved, not used")
    func moved() async throws {
        let clock = TestClock(slowness: 20)
        let limiter = Limiter(store: nil, clock: clock.clock)
        let tokens = Limit(.caller(.chat), Quota(100, .tokens, per: .minute))
        let running = await ask(1, limiter, [LimitCharge(tokens, who, units: 100)], nil).value[0]
        let waiting = ask(1, limiter, [LimitCharge(tokens, who, units: 50)], patience(200))
        await waits(1, limiter)
        clock.advance(microseconds: 30_000_000)
        limiter.settle(running.held, Amounts(tokens: 200))
        clock.advance(microseconds: 31_100_000)
        for _ in 0..<5_000 where limiter.metrics().turns(.moved) == 0 {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(limiter.metrics().turns(.moved) == 1 && limiter.metrics().waiting == 1)
        clock.advance(microseconds: 30_000_000)
        #expect(await waiting.value[0].isAdmitted)
    }

    @Test("a record stays in the store until its last turn no longer counts")
    func recordStays() async {
        let later = Lock(0)
        let store = HookedStore(MemoryCounters(seconds: { epoch / 1_000_000 + later.withLock { $0 } }))
        let limiter = limiter(true, TestClock(slowness: 20), store)
        defer { limiter.stop() }
        let limit = Limit(.caller(.chat), Quota(1, per: .second, times: 30))
        #expect(await isAdmitted(limiter, [LimitCharge(limit, who)], nil))
        let waiting = ask(4, limiter, [LimitCharge(limit, who)], patience(200))
        await waits(4, limiter)
        // The last turn is in two minutes, and counts for half of one.
        later.withLock { $0 = 155 }
        #expect(store.inner.read([who.storeKey(limit)])[0] != nil)
        limiter.endWaits()
        #expect(await waiting.value.count == 4)
    }

    @Test("a turn whose write is answered when it has come is used after a look at its record only")
    func answeredLate() async throws {
        let (clock, store) = (TestClock(slowness: 20), HookedStore())
        let limiter = limiter(true, clock, store)
        defer { limiter.stop() }
        let second = Limit(.caller(.chat), Quota(3, per: .second))
        let (charges, key) = ([LimitCharge(second, who)], who.storeKey(second))
        #expect(await ask(3, limiter, charges, nil).value.allSatisfy { $0.isAdmitted })
        store.order(
            .thenCall {
                // Others use the second meanwhile.
                clock.advance(microseconds: 1_040_000)
                guard let found = store.inner.read([key])[0], var record = try? Record(found.bytes, second.layout)
                else { return }
                record.roll(to: clock.clock.now().wall)
                record.charge(3)
                _ = try? store.inner.replace(key, record.encoded(), version: found.version, expirySeconds: 60)
            }
        )
        let waiting = ask(1, limiter, charges, patience(300))
        for _ in 0..<5_000 where limiter.metrics().turns(.moved) + limiter.metrics().turns(.used) == 0 {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(limiter.metrics().turns(.moved) == 1 && limiter.metrics().turns(.used) == 0)
        limiter.endWaits()
        #expect(await !waiting.value[0].isAdmitted)
    }

    @Test("only so many requests wait, and half of them of one caller")
    func bounded() async throws {
        let clock = TestClock(slowness: 20)
        let limiter = Limiter(store: nil, LimiterOptions(maxWaiting: 4), clock: clock.clock)
        let other = Identity.address("192.0.2.1")
        let charges = [LimitCharge(Self.minute, .everybody)]
        #expect(await ask(3, limiter, charges, nil).value.allSatisfy { $0.isAdmitted })
        let mine = ask(2, limiter, charges, patience(300))
        await waits(2, limiter)
        #expect(await !isAdmitted(limiter, charges, patience(300)))
        let theirs = ask(2, limiter, charges, patience(300, other))
        await waits(4, limiter)
        #expect(await !isAdmitted(limiter, charges, patience(300, .address("192.0.2.2"))))
        limiter.endWaits()
        for decision in await mine.value + theirs.value {
            #expect(!decision.isAdmitted && decision.refusal == nil, "503")
        }
        #expect(limiter.metrics().waiting == 0)
        #expect(limiter.knownUses(charges).map(\.used) == [3], "the turns are given back")
    }

    /// Returns the waits that the refusals of simultaneous requests name, in microseconds.
    private func told(_ count: Int, _ limiter: Limiter, _ patience: LimitPatience? = nil) async -> [Int] {
        let decisions = await ask(count, limiter, [LimitCharge(Self.minute, who)], patience).value
        return decisions.compactMap { $0.refusal?.retryAfterMicroseconds }.sorted()
    }

    @Test("requests that are refused at once return one after another, but no later than a window and two buckets")
    func oneAfterAnother() async {
        let clock = TestClock(slowness: 20)
        let limiter = Limiter(store: nil, clock: clock.clock)
        for _ in 0..<3 {
            #expect(await isAdmitted(limiter, [LimitCharge(Self.minute, who)], nil))
            clock.advance(microseconds: 10_000_000)
        }
        #expect(await told(5, limiter) == [31, 41, 51, 61, 61].map { $0 * 1_000_000 })
        clock.advance(microseconds: 2_000_000)
        #expect(await told(2, limiter) == [29_000_000, 39_000_000], "what was told two seconds ago is forgotten")
        clock.advance(microseconds: 2_000_000)
        // Those who wait for ten seconds when they are back return so much earlier.
        #expect(await told(5, limiter, patience(10)) == [17_001, 27_000, 37_000, 60_000, 60_000].map { $0 * 1_000 })
        clock.advance(microseconds: 17_001_000)
        let back = ask(1, limiter, [LimitCharge(Self.minute, who)], patience(10))
        await waits(1, limiter)
        clock.advance(microseconds: 10_000_000)
        #expect(await back.value[0].isAdmitted)
    }

    @Test("with a second of waiting, limits per minute tell nobody to stay away for over sixty", arguments: [1, 120])
    func sixtySeconds(patience seconds: Double) async {
        let clock = TestClock(slowness: 20)
        let limiter = Limiter(store: nil, LimiterOptions(maxWaiting: 2), clock: clock.clock)
        let charges = [LimitCharge(Self.minute, who)]
        #expect(await told(5, limiter) == [61_000_000, 61_000_000])
        let waiting = ask(1, limiter, charges, patience(300))
        await waits(1, limiter)
        // The only place of this caller is taken.
        #expect(await told(2, limiter, patience(seconds)) == [60_000_000, 60_000_000])
        clock.advance(microseconds: 60_000_000)
        #expect(await told(1, limiter, patience(0.5)) == [501_000])
        limiter.endWaits()
        #expect(await !waiting.value[0].isAdmitted)
        let back = ask(1, limiter, charges, patience(seconds))
        await waits(1, limiter)
        clock.advance(microseconds: 1_000_000)
        #expect(await back.value[0].isAdmitted)
    }

    @Test("instances share the turns exactly, for few calls to the store")
    func shared() async throws {
        let memcached = try MemcachedProcess()
        let limiters = try (0..<2)
            .map { _ in
                Limiter(
                    store: try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000),
                    LimiterOptions(storeDown: .deny, timeoutMicroseconds: 2_000_000),
                    on: TestLoops.ofStores
                )
            }
        defer { for limiter in limiters { limiter.stop() } }
        let limit = Limit(.caller(.chat), Quota(20, per: .second, times: 3))
        let charges = [LimitCharge(limit, who)]
        let times = AdmissionTimes()
        let decisions = await TestLoops.lasting.run(60) { index, loop in
            let decision = await limiters[index % 2].reserve(charges, patience(60), on: loop).decision
            if decision.isAdmitted { times.add(1) }
            return decision
        }
        #expect(decisions.allSatisfy { $0.isAdmitted })
        #expect(mostInAnyWindow(times.sorted, 2_900_000) <= 20)
        let figures = limiters.map { $0.metrics() }
        #expect(figures.reduce(0) { $0 + $1.turns(.used) } >= 40)
        #expect(figures.allSatisfy { $0.waiting == 0 && $0.byRule == 0 })
    }

    @Test("one request alone waits for a few calls to the store, however long it waits")
    func operations() async throws {
        let memcached = try MemcachedProcess()
        let limiter = Limiter(
            store: try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000),
            LimiterOptions(storeDown: .deny, timeoutMicroseconds: 2_000_000),
            on: TestLoops.ofStores
        )
        defer { limiter.stop() }
        let limit = Limit(.caller(.chat), Quota(1, per: .second, times: 2))
        let charges = [LimitCharge(limit, who)]
        let run = { @Sendable (patience: LimitPatience?) in
            await TestLoops.lasting.run { await limiter.reserve(charges, patience, on: $0).decision }
        }
        #expect(await run(nil).isAdmitted)
        var before = (0, LimiterMetrics())
        // On a slow machine the unit may be free before the next request comes.
        while limiter.metrics().turns(.used) == 0 {
            before = (memcached.statistic("cmd_get"), limiter.metrics())
            #expect(await run(patience(60)).isAdmitted)
        }
        let after = limiter.metrics()
        // A young instance writes its own entries each second, and a turn that a slow machine has missed again.
        let moved = after.turns(.moved) + after.late - before.1.turns(.moved) - before.1.late
        #expect(after.writes - before.1.writes <= 9 + moved)
        // The instance's own entry is read meanwhile, too.
        #expect(memcached.statistic("cmd_get") - before.0 <= 8 + 2 * moved)
    }
}

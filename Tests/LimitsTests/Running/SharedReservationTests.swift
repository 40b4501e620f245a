import Engine
import Support
import Testing

@testable import Limits

/// Budgets of which running requests of another instance hold units.
@Suite struct SharedReservationTests {
    private let loops = TestLoops(1)
    private let clock = TestClock(slowness: 20)
    private let events = TestEvents()
    private static let budget = Limit(.key(nil), Quota(100, .usd, per: .hour))

    private func limiters(_ count: Int) -> [Limiter] {
        let store = HookedStore()
        return (0..<count)
            .map { _ in
                Limiter(
                    store: store,
                    LimiterOptions(timeoutMicroseconds: 5_000_000),
                    on: TestLoops.ofStores,
                    clock: clock.clock,
                    onEvent: events.handler
                )
            }
    }

    private func ask(_ limiter: Limiter, _ units: Int, seconds: Int = 0) -> Task<Decision, Never> {
        let patience = LimitPatience(microseconds: seconds * 1_000_000, caller: .everybody)
        let charges = [LimitCharge(Self.budget, .everybody, units: units)]
        let loops = loops
        return Task {
            await loops.run { await limiter.reserve(charges, seconds > 0 ? patience : nil, on: $0).decision }
        }
    }

    /// Begins a request, which holds its units until they are settled.
    private func begin(_ limiter: Limiter, _ units: Int) async -> Decision {
        let decision = await ask(limiter, units).value
        // `ask` has ended it.
        limiter.ledger.update { ledger, now in
            for held in decision.held {
                held.account.counter.heldUnits += held.units
                ledger.scheduleWrite(held.account, now)
            }
        }
        await isWritten(limiter, decision)
        return decision
    }

    /// Waits until the store has what the instance holds.
    private func isWritten(_ limiter: Limiter, _ running: Decision) async {
        let account = running.held[0].account
        #expect(await reaches { !limiter.ledger.update { account.counter.needsWrite(at: $1.wall) } })
    }

    private func isHeld(_ limiter: Limiter) async -> Bool? {
        clock.advance(microseconds: 1_100_000)  // what the last refusal remembers
        return await ask(limiter, 30).value.refusal?.isHeld
    }

    @Test("a budget whose rest requests of another instance hold is not used up, and comes back when they end")
    func elsewhere() async throws {
        let limiters = limiters(2)
        defer { for limiter in limiters { limiter.stop() } }
        let running = await begin(limiters[0], 90)
        let refusal = await ask(limiters[1], 30).value.refusal
        try #require(refusal?.isHeld == true && refusal?.retryAfterMicroseconds == 1_000_000)
        #expect(await ask(limiters[1], 101).value.refusal?.isHeld == false)
        #expect(limiters[1].knownUses([LimitCharge(Self.budget, .everybody)])[0].used == 90)
        let waiting = ask(limiters[1], 30, seconds: 20)
        #expect(await reaches { limiters[1].asleep == 1 })
        limiters[0].settle(running.held, Amounts(usd: 10))
        await isWritten(limiters[0], running)
        clock.advance(microseconds: 1_100_000)
        #expect(await waiting.value.isAdmitted)
    }

    @Test("a budget is used up as soon as the use of another instance is known, also if that is what it held")
    func exact() async {
        let limiters = limiters(2)
        defer { for limiter in limiters { limiter.stop() } }
        let running = await begin(limiters[0], 90)
        #expect(await isHeld(limiters[1]) == true)
        limiters[0].settle(running.held, Amounts(usd: 90))
        await isWritten(limiters[0], running)
        #expect(await isHeld(limiters[1]) == false)
    }

    /// A sum ends with its bucket if that is not longer, and then leaves the record.
    @Test("what others hold is known while they write it anew", arguments: [.hour, .day] as [Quota.TimeUnit])
    func renewal(per unit: Quota.TimeUnit) {
        let limit = Limit(.key(nil), Quota(100, .usd, per: unit))
        let end = epoch + 30_000_000
        var record = Record(limit.layout, at: epoch, birth: 1)
        let counters = (0..<3).map { _ in WindowCounter(limit, isShared: true, sums: CounterSums(), at: epoch) }
        func read(_ record: Record, at time: Int, _ counters: ArraySlice<WindowCounter>) {
            for counter in counters { counter.absorb(.counts(record), birth: 2, isAhead: false, at: time) }
        }
        func held(at time: Int) -> [Int] { counters.map { $0.heldElsewhere(at: time) } }
        record.charge(90)
        record.setLease(85, until: end)
        read(record, at: epoch, counters[...])
        record.setLease(0, until: end)
        read(record, at: epoch + 10_000_000, counters[2...])
        #expect(held(at: end - 1) == [85, 85, 0], "given back to the last one's knowledge")
        // One of the others has written its part.
        record.roll(to: end)
        record.setLease(5, until: end + 30_000_000)
        read(record, at: end, counters[..<1])
        #expect(held(at: end) == [85, 85, 0])
        #expect(held(at: end + 2_000_000) == [5, 0, 0])
    }

    @Test(
        "a copy that is put back tells nothing of requests, and what was told since the loss stays",
        arguments: [0, 5]
    )
    func putBack(told: Int) {
        let counter = WindowCounter(Self.budget, isShared: true, sums: CounterSums(), at: epoch)
        let end = epoch + 30_000_000
        var lost = Record(Self.budget.layout, at: epoch, birth: 1)
        lost.charge(90)
        lost.setLease(85, until: end)
        counter.absorb(.counts(lost), version: 7, mark: 0, birth: 2, isAhead: false, at: epoch)
        #expect(counter.heldElsewhere(at: epoch) == 85)
        var next = Record(Self.budget.layout, at: epoch, birth: 3)
        next.setLease(told, until: end)
        counter.absorb(.counts(next), version: 1, mark: 0, birth: 2, isAhead: false, at: epoch + 1)
        #expect(counter.heldElsewhere(at: epoch + 1) == told)
    }

    @Test("what an instance holds is told as long as it runs, and half a minute longer if it is killed")
    func renewed() async {
        let limiters = limiters(2)
        defer { for limiter in limiters { limiter.stop() } }
        let running = await begin(limiters[0], 90)
        for _ in 0..<3 {
            clock.advance(microseconds: 30_000_000)
            await isWritten(limiters[0], running)
            #expect(await isHeld(limiters[1]) == true)
        }
        #expect(!(await events.reached(1, \.isUsedUp, looks: 1)))
        limiters[0].ledger.update { _, _ in running.held[0].account.counter.heldUnits = 0 }
        #expect(await isHeld(limiters[1]) == true)
        clock.advance(microseconds: 30_000_000)
        #expect(await isHeld(limiters[1]) == false)
        #expect(await events.reached(1, \.isUsedUp))
    }
}

extension LimiterEvent {
    fileprivate var isUsedUp: Bool { if case .budgetUsed(let use) = self { use.percent == 100 } else { false } }
}

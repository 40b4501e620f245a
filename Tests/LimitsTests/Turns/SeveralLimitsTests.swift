import Engine
import Support
import Testing

@testable import Limits

/// Requests that wait for several limits at one time.
@Suite struct SeveralLimitsTests {
    private let loops = TestLoops(2)
    private let clock = TestClock(slowness: 20)
    private let store = HookedStore()
    private static let minute = Limit(.caller(.chat), Quota(3, per: .minute))

    private func limiter(_ isShared: Bool) -> Limiter {
        let options = LimiterOptions(storeDown: .local, timeoutMicroseconds: 5_000_000)
        return isShared
            ? Limiter(store: store, options, on: TestLoops.ofStores, clock: clock.clock)
            : Limiter(store: nil, clock: clock.clock)
    }

    /// Starts a request, which may wait for so many seconds.
    private func ask(_ limiter: Limiter, _ charges: [LimitCharge], seconds: Int = 0) -> Task<Decision, Never> {
        let patience = LimitPatience(microseconds: seconds * 1_000_000, caller: .everybody)
        let loops = loops
        return Task {
            await loops.run { await limiter.reserve(charges, seconds > 0 ? patience : nil, on: $0).decision }
        }
    }

    @Test("a caller whose month has room waits for a minute", arguments: [false, true], ["A", "B", "C", "D"])
    func month(isShared: Bool, name: String) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let who = Identity.knownKey(named: name)
        let end = clock.clock.now().wall + 100_000_000
        let period = CalendarPeriod(name: "2026-11", endMicroseconds: end, endText: "")
        let month = LimitCharge(Limit(.key(nil), Quota(5, per: .month), in: period), who)
        let both = [LimitCharge(Self.minute, who), month]
        for _ in 0..<3 { #expect(await ask(limiter, both).value.isAdmitted) }
        let waiting = (0..<2).map { _ in ask(limiter, both, seconds: 65) }
        await waits(2, limiter)
        #expect(limiter.knownUses([month])[0].used == 5, "their turns count at once")
        let refused = await ask(limiter, both, seconds: 65).value
        #expect(refused.refusal?.limit.quota.timeUnit == .month)
        #expect(refused.refusal?.retryAfterMicroseconds == 100_000_000)
        clock.advance(microseconds: 61_000_000)
        for request in waiting { #expect(await request.value.isAdmitted) }
        #expect(limiter.knownUses([month])[0].used == 5)
    }

    @Test("a turn after the end of the month is none, and the refusal says when to return", arguments: [false, true])
    func monthEnds(isShared: Bool) async throws {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let end = clock.clock.now().wall + 30_000_000
        let period = CalendarPeriod(name: "2026-11", endMicroseconds: end, endText: "")
        let month = LimitCharge(Limit(.key(nil), Quota(50, per: .month), in: period), .everybody)
        let both = [LimitCharge(Self.minute, .everybody), month]
        for _ in 0..<3 { #expect(await ask(limiter, both).value.isAdmitted) }
        let wait = try #require(await ask(limiter, both, seconds: 65).value.refusal?.retryAfterMicroseconds)
        #expect(wait > 55_000_000 && wait <= 61_000_000)
    }

    @Test("a request waits for a minute beside a month that was reset", arguments: [false, true])
    func resetMonth(isShared: Bool) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let shared = isShared ? SharedState(store, timeoutMilliseconds: 2_000) : nil
        defer { shared?.stop() }
        let end = clock.clock.now().wall + 1_000_000_000_000
        let period = CalendarPeriod(name: "2026-11", endMicroseconds: end, endText: "")
        let month = LimitCharge(Limit(.key(nil), Quota(50, per: .month), in: period), .everybody)
        let both = [LimitCharge(Self.minute, .everybody), month]
        for _ in 0..<3 { #expect(await ask(limiter, both).value.isAdmitted) }
        for _ in 0..<2 { _ = await loops.run { try? await limiter.reset(month, in: shared, on: $0) } }
        let waiting = ask(limiter, both, seconds: 65)
        await waits(1, limiter)
        clock.advance(microseconds: 61_000_000)
        #expect(await waiting.value.isAdmitted)
    }

    @Test("a request whose wait has ended leaves nothing behind")
    func memory() async {
        let limiter = limiter(true)
        defer { limiter.stop() }
        let loops = loops
        let wait = await loops.run { loop in
            let wait = LoopWait(loop)
            let patience = LimitPatience(microseconds: 1_000_000, caller: .everybody)
            let charges = [LimitCharge(Self.minute, .everybody)]
            #expect(await limiter.reserve(charges, patience, as: wait, on: loop).decision.isAdmitted)
            return Weak(wait)
        }
        for _ in 0..<1_000 where wait.object != nil { try? await Task.sleep(for: .milliseconds(2)) }
        #expect(wait.object == nil)
    }

    /// `@unchecked`: read when the wait has ended.
    private struct Weak: @unchecked Sendable {
        weak var object: LoopWait?
        init(_ object: LoopWait) { self.object = object }
    }

    private static func tokens(_ count: Int, _ units: Int, per unit: Quota.TimeUnit = .minute) -> LimitCharge {
        LimitCharge(
            Limit(.key(nil), Quota(count, .tokens, per: unit), ofGroup: nil),
            .knownKey(named: "A"),
            units: units
        )
    }

    private static let requests = LimitCharge(Limit(.key(nil), Quota(60, per: .minute)), .knownKey(named: "A"))
    private static let total = LimitCharge(Limit(.total, Quota(1_000, per: .minute)), .everybody)
    private static let slots = LimitCharge(Limit(.key(nil), Quota(5, .concurrent, per: .second)), .knownKey(named: "A"))

    /// Limits besides one of tokens.
    struct Others: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let charges: [LimitCharge]
    }

    @Test(
        "what a running request gives back moves up those that wait for several limits",
        arguments: [
            Others(testDescription: "requests", charges: [requests]),
            Others(testDescription: "requests of all", charges: [total]),
            Others(testDescription: "both", charges: [requests, total]),
            Others(testDescription: "slots", charges: [slots]),
            Others(testDescription: "slots and requests", charges: [slots, total]),
        ],
        [false, true]
    )
    func settled(others: Others, isShared: Bool) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let running = await ask(limiter, [Self.tokens(100, 90)] + others.charges).value
        let waiting = (0..<2).map { _ in ask(limiter, [Self.tokens(100, 40)] + others.charges, seconds: 120) }
        await waits(2, limiter)
        limiter.settle(running.held, Amounts(tokens: 10))
        // No time passes: their former turns are a minute away.
        for request in waiting {
            let decision = await request.value
            #expect(decision.isAdmitted && decision.waitedMicroseconds < 10_000_000)
        }
        let rest = Self.tokens(100, 10)
        #expect(limiter.knownUses([rest])[0].used == 90 && limiter.metrics().waiting == 0)
        #expect(await ask(limiter, [rest] + others.charges).value.isAdmitted)
        #expect(await !ask(limiter, [Self.tokens(100, 1)] + others.charges).value.isAdmitted)
    }

    @Test("a request that one limit keeps out stays, and is served once both have room", arguments: [false, true])
    func oneStaysFull(isShared: Bool) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let few = LimitCharge(Self.minute, .knownKey(named: "A"))
        let running = await ask(limiter, [Self.tokens(100, 90), few]).value
        for _ in 0..<2 { #expect(await ask(limiter, [few]).value.isAdmitted) }
        let waiting = ask(limiter, [Self.tokens(100, 40), few], seconds: 120)
        await waits(1, limiter)
        limiter.settle(running.held, Amounts(tokens: 10))
        clock.advance(microseconds: 2_000_000)
        try? await Task.sleep(for: .milliseconds(60))
        #expect(limiter.metrics().waiting == 1 && limiter.knownUses([few])[0].used == 3)
        clock.advance(microseconds: 60_000_000)
        #expect(await waiting.value.isAdmitted && limiter.metrics().turns(.moved) == 0)
    }

    @Test("a turn that moves up while the store fails is used in no bucket that has not come")
    func failedMove() async {
        let (other, limiter) = (limiter(true), limiter(true))
        defer { for limiter in [other, limiter] { limiter.stop() } }
        let few = LimitCharge(Self.minute, .knownKey(named: "A"))
        let running = await ask(other, [Self.tokens(100, 90), few]).value
        let waiting = ask(limiter, [Self.tokens(100, 40), few], seconds: 120)
        await waits(1, limiter)
        let writes = other.metrics().writes
        other.settle(running.held, Amounts(tokens: 10))
        #expect(await reaches { other.metrics().writes > writes })
        store.setDown(true)
        store.order(.notDone)
        clock.advance(microseconds: 1_100_000)
        #expect(await waiting.value.isAdmitted)
        #expect(await ask(limiter, [few]).value.isAdmitted)
        #expect(await !ask(limiter, [few]).value.isAdmitted)
    }

    /// The limiter does not know that another one has used up the second limit, in which the turn cannot move up.
    @Test("a turn that moves up in one of its limits only stays what it was, whoever wants its place")
    func halfMove() async {
        let (other, limiter) = (limiter(true), limiter(true))
        defer { for limiter in [other, limiter] { limiter.stop() } }
        let few = LimitCharge(Self.minute, .knownKey(named: "A"))
        let running = await ask(limiter, [Self.tokens(100, 90), few]).value
        let waiting = ask(limiter, [Self.tokens(100, 40), few], seconds: 70)
        await waits(1, limiter)
        for _ in 0..<2 { #expect(await ask(other, [few]).value.isAdmitted) }
        let rival = Lock<Decision?>(nil)
        store.order(
            .thenCall { [self] in
                // The turn has moved up in the limit of tokens, but not yet in the other one.
                let request = ask(other, [Self.tokens(100, 100)], seconds: 70)
                Task {
                    let decision = await request.value
                    rival.withLock { $0 = decision }
                }
                while other.asleep == 0, rival.withLock({ $0 == nil }) {}
            }
        )
        limiter.settle(running.held, Amounts(tokens: 10))
        #expect(await reaches { rival.withLock { $0 } != nil } && rival.withLock { $0?.isAdmitted } == false)
        await waits(1, limiter)
        clock.advance(microseconds: 61_000_000)
        #expect(await waiting.value.isAdmitted && limiter.metrics().turns(.moved) == 0)
        #expect(limiter.knownUses([Self.tokens(100, 1), few]).map(\.used) == [40, 1])
    }

    @Test("a turn that cannot move up in time in one of its limits stays what it was")
    func lateMove() async {
        let limiter = limiter(true)
        defer { limiter.stop() }
        let few = LimitCharge(Self.minute, .knownKey(named: "A"))
        let running = await ask(limiter, [Self.tokens(100, 90), few]).value
        let waiting = ask(limiter, [Self.tokens(100, 40), few], seconds: 120)
        await waits(1, limiter)
        let delay = { @Sendable (microseconds: Int) in
            limiter.ledger.update { ledger, now in
                ledger.account(of: few, at: now)?.notBefore = now.steady + microseconds
            }
        }
        store.order(.thenCall { delay(100_000_000) })
        limiter.settle(running.held, Amounts(tokens: 10))
        #expect(await reaches { limiter.asleep == 0 })
        // The timer is late each time. The turn comes after a minute.
        for _ in 0..<4 {
            clock.advance(microseconds: 14_200_000)
            try? await Task.sleep(for: .milliseconds(100))
        }
        await waits(1, limiter)
        delay(0)
        clock.advance(microseconds: 5_000_000)
        #expect(await waiting.value.isAdmitted && limiter.metrics().turns(.moved) == 0)
        #expect(await reaches { limiter.knownUses([Self.tokens(100, 1), few]).map(\.used) == [40, 1] })
    }

    @Test("those that wait for a limit begin when an operator resets it", arguments: [false, true])
    func reset(isShared: Bool) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let (few, loops) = (LimitCharge(Self.minute, .knownKey(named: "A")), loops)
        for _ in 0..<3 { #expect(await ask(limiter, [few, Self.total]).value.isAdmitted) }
        let waiting = (0..<2).map { _ in ask(limiter, [few, Self.total], seconds: 120) }
        await waits(2, limiter)
        let shared = isShared ? SharedState(store, timeoutMilliseconds: 2_000) : nil
        defer { shared?.stop() }
        _ = await loops.run { loop in try? await limiter.reset(few, in: shared, on: loop) }
        for request in waiting {
            let decision = await request.value
            #expect(decision.isAdmitted && decision.waitedMicroseconds < 10_000_000)
        }
        #expect(limiter.knownUses([few, Self.total]).map(\.used) == [2, 5])
    }

    /// Makes a request hold its units again, which `ask` has settled.
    private func hold(_ decision: Decision, _ limiter: Limiter) {
        limiter.ledger.update { _, _ in for units in decision.held { units.account.counter.heldUnits += units.units } }
    }

    @Test("a request waits for what running ones give back, if no room is sooner", arguments: [false, true])
    func running(isShared: Bool) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let charges = { [Self.tokens(100, $0, per: .hour), Self.total] }
        let running = await ask(limiter, charges(90)).value
        hold(running, limiter)
        let waiting = (0..<2).map { _ in ask(limiter, charges(30), seconds: 20) }
        await waits(2, limiter)
        #expect(limiter.waiting(charges(1)) == [2, 0])
        limiter.settle(running.held, Amounts(tokens: 10))
        for request in waiting {
            let decision = await request.value
            #expect(decision.isAdmitted && decision.waitedMicroseconds < 10_000_000)
        }
        #expect(limiter.knownUses(charges(1)).map(\.used) == [70, 3] && limiter.metrics().waiting == 0)
    }

    /// If the other limit is late, the lane must not go round until it has counted the one that waits.
    @Test(
        "a newcomer does not take what a running request gave back to one that waits",
        arguments: [([], false), ([total], false), ([total], true)] as [([LimitCharge], Bool)]
    )
    func newcomer(others: [LimitCharge], isOtherLate: Bool) async {
        let (limiter, newcomer) = (limiter(true), Lock<Task<Decision, Never>?>(nil))
        defer { limiter.stop() }
        let charges = { @Sendable in [Self.tokens(100, $0, per: .hour)] }
        let running = await ask(limiter, charges(90)).value
        hold(running, limiter)
        let waiting = ask(limiter, charges(40) + others, seconds: 20)
        await waits(1, limiter)
        let held = running.held
        store.order(
            .thenCall { [self] in
                // The next round of calls has both.
                limiter.settle(held, Amounts(tokens: 10))
                newcomer.withLock { $0 = ask(limiter, charges(80)) }
                while limiter.waiting(charges(1)) != [3] {}
                if !isOtherLate { return }
                limiter.ledger.update { ledger, now in
                    ledger.account(of: Self.total, at: now)?.notBefore = now.steady + 200_000
                }
            }
        )
        #expect(await ask(limiter, charges(5)).value.isAdmitted)
        if isOtherLate {
            try? await Task.sleep(for: .milliseconds(100))
            #expect(limiter.waiting(charges(1)) == [2], "both wait for the other limit")
            clock.advance(microseconds: 300_000)
        }
        #expect(await newcomer.withLock { $0 }?.value.isAdmitted == false)
        limiter.endWaits()
        #expect(await waiting.value.isAdmitted)
    }

    @Test("who waited behind turns of its caller is refused by the limit that is full", arguments: [false, true])
    func behindTooLong(isShared: Bool) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let charges = [Self.requests, LimitCharge(Limit(.total, Quota(3, per: .minute)), .everybody)]
        for _ in 0..<3 { #expect(await ask(limiter, charges).value.isAdmitted) }
        let waiting = ask(limiter, charges, seconds: 120)
        await waits(1, limiter)
        let behind = ask(limiter, charges, seconds: 20)
        await waits(2, limiter)
        clock.advance(microseconds: 21_000_000)
        #expect(await behind.value.refusal?.limit.kind == .total)
        limiter.endWaits()
        #expect(await !waiting.value.isAdmitted)
    }

    @Test("a request that running ones keep out is refused when it has waited", arguments: [false, true])
    func runningTooLong(isShared: Bool) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let charges = { [Self.tokens(100, $0, per: .month)] }
        hold(await ask(limiter, charges(90)).value, limiter)
        let waiting = ask(limiter, charges(30), seconds: 20)
        await waits(1, limiter)
        clock.advance(microseconds: 21_000_000)
        let refusal = await waiting.value.refusal
        #expect(refusal?.isHeld == true && refusal?.retryAfterMicroseconds == 1_000_000)
    }
}

import Engine
import Support
import Testing

@testable import Limits

/// Requests that wait for a slot, and hold it until `end`.
private final class SlotUsers: Sendable {
    private struct State {
        var holders: [Int] = []
        var ended: Set<Int> = []
        var refusals: [Int: Decision] = [:]
        var most = 0
    }

    private let state = Lock(State())

    /// The numbers of the requests that were admitted, in their order.
    var holders: [Int] { state.withLock { $0.holders } }
    var refusals: [Int: Decision] { state.withLock { $0.refusals } }
    /// The most requests that held slots at one time.
    var most: Int { state.withLock { $0.most } }

    func end(_ number: Int) { state.withLock { _ = $0.ended.insert(number) } }

    /// Sends a request on a loop, and holds its slots until `end`.
    func start(_ number: Int, _ limiter: Limiter, _ charges: [LimitCharge], seconds: Int) -> Task<Void, Never> {
        let loop = TestLoops.ofStores[number % 2]
        let patience = LimitPatience(microseconds: seconds * 1_000_000, caller: .everybody)
        return Task(executorPreference: loop) {
            let reservation = await limiter.reserve(charges, seconds > 0 ? patience : nil, on: loop)
            guard reservation.decision.isAdmitted else {
                return self.state.withLock { $0.refusals[number] = reservation.decision }
            }
            self.state.withLock { state in
                state.holders.append(number)
                state.most = max(state.most, state.holders.count { !state.ended.contains($0) })
            }
            while self.state.withLock({ !$0.ended.contains(number) }) {
                try? await Task.sleep(for: .milliseconds(1))
            }
            _ = consume reservation
        }
    }
}

@Suite struct SlotQueueTests {
    private let users = SlotUsers()
    private let clock: TestClock
    private let store: HookedStore
    private static let two = Limit(.caller(.chat), Quota(2, .concurrent, per: .second))
    private static let charges = [LimitCharge(two, .everybody)]

    init() {
        let clock = TestClock(slowness: 20)
        self.clock = clock
        store = HookedStore(MemoryCounters(seconds: { clock.clock.now().wall / 1_000_000 }))
    }

    private func limiter(isShared: Bool = true) -> Limiter {
        Limiter(
            store: isShared ? store : nil,
            LimiterOptions(timeoutMicroseconds: 5_000_000, slotMicroseconds: 36_000_000_000),
            on: isShared ? TestLoops.ofStores : [],
            clock: clock.clock
        )
    }

    /// Waits until `body` is true, while the clock goes on.
    private func reaches(_ body: () -> Bool, passing microseconds: Int = 0, tries: Int = 5_000) async -> Bool {
        for _ in 0..<tries {
            if body() { return true }
            clock.advance(microseconds: microseconds)
            try? await Task.sleep(for: .milliseconds(2))
        }
        return false
    }

    /// Lets the requests with these numbers wait, one after the other.
    private func wait(_ numbers: ClosedRange<Int>, _ limiter: Limiter, _ charges: [LimitCharge] = charges) async {
        for number in numbers {
            let before = limiter.metrics().waiting
            _ = users.start(number, limiter, charges, seconds: 30_000)
            #expect(await reaches { limiter.metrics().waiting == before + 1 })
        }
    }

    private func hold(_ numbers: ClosedRange<Int>, _ limiter: Limiter) async {
        for number in numbers {
            _ = users.start(number, limiter, Self.charges, seconds: 0)
            #expect(await reaches { users.holders.last == number })
        }
    }

    @Test("slots go to the requests that wait for them in their order", arguments: [false, true])
    func inOrder(isShared: Bool) async {
        let limiter = limiter(isShared: isShared)
        await hold(1...2, limiter)
        await wait(3...7, limiter)
        let impatient = users.start(8, limiter, Self.charges, seconds: 0)
        await impatient.value
        #expect(users.refusals[8]?.retryAfterMilliseconds == 1_000)
        for number in 1...5 {
            users.end(number)
            // No time passes: nobody looks for the slot.
            #expect(await reaches { users.holders.count == number + 2 })
        }
        #expect(users.holders.suffix(5) == [3, 4, 5, 6, 7] && users.most == 2)
        let figures = limiter.metrics()
        #expect(figures.waiting == 0 && figures.turns(.used) == 5 && figures.turns(.moved) == 0)
        #expect(figures.waits[Self.two.kind.index].counts.dropLast().reduce(0, +) == 5)
        for number in 6...7 { users.end(number) }
        #expect(await reaches { limiter.metrics().slots == 0 })
        limiter.stop()
    }

    @Test("a request takes slots of two limits at one time, whichever is looked at first", arguments: [false, true])
    func twoLimits(isShared: Bool) async {
        let limiter = limiter(isShared: isShared)
        // The names decide the order of the records.
        for (index, name) in ["A", "B", "C", "D", "E", "F"].enumerated() {
            let own = LimitCharge(Limit(.key(nil), Quota(1, .concurrent, per: .second)), .knownKey(named: name))
            let shared = LimitCharge(Limit(.total, Quota(3, .concurrent, per: .second)), .everybody)
            let (first, second) = (2 * index + 1, 2 * index + 2)
            _ = users.start(first, limiter, [own, shared], seconds: 0)
            #expect(await reaches { users.holders.last == first })
            await wait(second...second, limiter, [own, shared])
            #expect(await reaches { limiter.metrics().slots == 2 }, "who waits holds no slot")
            users.end(first)
            #expect(await reaches { users.holders.last == second })
            users.end(second)
            #expect(await reaches { limiter.metrics().slots == 0 })
        }
        limiter.stop()
    }

    @Test("a request that gets one slot gives it back if the other one is taken meanwhile", arguments: [false, true])
    func otherTaken(isShared: Bool) async {
        let limiter = limiter(isShared: isShared)
        // The names decide the order of the records.
        for (index, name) in ["A", "B", "C", "D", "E", "F"].enumerated() {
            let own = LimitCharge(Limit(.key(nil), Quota(1, .concurrent, per: .second)), .knownKey(named: name))
            let shared = LimitCharge(Limit(.total, Quota(1, .concurrent, per: .second)), .everybody)
            let first = 4 * index + 1
            _ = users.start(first, limiter, [shared], seconds: 0)
            #expect(await reaches { users.holders.last == first })
            await wait(first + 1...first + 1, limiter, [own, shared])
            _ = users.start(first + 2, limiter, [own], seconds: 0)
            #expect(await reaches { users.holders.last == first + 2 })
            await wait(first + 3...first + 3, limiter, [shared])
            users.end(first)
            #expect(await reaches { users.holders.last == first + 3 })
            users.end(first + 2)
            users.end(first + 3)
            #expect(await reaches { users.holders.last == first + 1 })
            users.end(first + 1)
            #expect(await reaches { limiter.metrics().slots == 0 })
        }
        limiter.stop()
    }

    @Test("a reload with more slots lets the first ones begin, and one without a limit all", arguments: [false, true])
    func changed(isShared: Bool) async {
        let limiter = limiter(isShared: isShared)
        await hold(1...2, limiter)
        await wait(3...7, limiter)
        limiter.change(to: [LimitCharge(Limit(.caller(.chat), Quota(4, .concurrent, per: .second)), .everybody)])
        #expect(await reaches { users.holders.sorted() == [1, 2, 3, 4] && limiter.asleep == 3 })
        limiter.change(to: [])
        #expect(await reaches { users.holders.count == 7 })
        #expect(limiter.metrics().waiting == 0 && limiter.asleep == 0)
        for number in 1...7 { users.end(number) }
        #expect(await reaches { limiter.metrics().slots == 0 })
        limiter.stop()
    }

    @Test("a request waits no longer than it may, and a client that leaves waits no more", arguments: [false, true])
    func ends(isShared: Bool) async {
        let limiter = limiter(isShared: isShared)
        await hold(1...2, limiter)
        let short = users.start(3, limiter, Self.charges, seconds: 2_000)
        #expect(await reaches { limiter.metrics().waiting == 1 })
        let leaving = users.start(4, limiter, Self.charges, seconds: 30_000)
        #expect(await reaches { limiter.metrics().waiting == 2 })
        await wait(5...6, limiter)
        leaving.cancel()
        #expect(await reaches { limiter.metrics().waiting == 3 })
        #expect(limiter.metrics().turns(.left) == 1)
        clock.advance(microseconds: 1_000_000_000)
        #expect(limiter.metrics().waiting == 3)
        clock.advance(microseconds: 1_000_000_000)
        await short.value
        #expect(users.refusals[3]?.retryAfterMilliseconds == 1_000)
        #expect(users.refusals[3]?.refusal?.limit.quota.unit == .concurrent)
        users.end(1)
        #expect(await reaches { users.holders == [1, 2, 5] })
        limiter.endWaits()
        #expect(await reaches { users.refusals[6] != nil })
        #expect(users.refusals[6]?.refusal == nil && limiter.metrics().waiting == 0, "503")
        for number in [2, 5] { users.end(number) }
        #expect(await reaches { limiter.metrics().slots == 0 })
        limiter.stop()
    }

    @Test("slots that another instance releases go to the request that has waited longest, over all instances")
    func overInstances() async {
        let limiters = (0..<3).map { _ in limiter() }
        await hold(1...2, limiters[0])
        for number in 3...8 {
            await wait(number...number, limiters[number % 3])
            clock.advance(microseconds: 1_000)
        }
        for number in 1...6 {
            users.end(number)
            // All instances look, and no time passes until the one that is to have the slot has taken it.
            for _ in 0..<20 {
                clock.advance(microseconds: 100_000)
                if await reaches({ users.holders.count == number + 2 }, tries: 500) { break }
            }
        }
        #expect(users.holders.suffix(6) == [3, 4, 5, 6, 7, 8] && users.most == 2)
        for number in 7...8 { users.end(number) }
        #expect(await reaches { limiters.allSatisfy { $0.metrics().slots + $0.metrics().waiting == 0 } })
        for limiter in limiters { limiter.stop() }
    }

    @Test("an instance looks for slots ten times a second while requests wait, and never while none does")
    func looks() async {
        let (holder, waiter) = (limiter(), limiter())
        await hold(1...2, holder)
        var before = store.limitReads
        #expect(await reaches({ clock.clock.now().wall >= epoch + 3_000_000 }, passing: 100_000))
        #expect(store.limitReads == before)
        await wait(3...40, waiter)
        before = store.limitReads
        let since = clock.clock.now().wall
        for _ in 0..<20 {
            let looks = store.limitReads
            #expect(await reaches({ store.limitReads > looks }, passing: 10_000))
        }
        let looks = store.limitReads - before
        #expect(looks <= (clock.clock.now().wall - since) / 100_000 + 1, "one for all requests that wait")
        waiter.endWaits()
        #expect(await reaches { users.refusals.count == 38 })
        for number in 1...2 { users.end(number) }
        for limiter in [holder, waiter] { limiter.stop() }
    }

    @Test("a request with other limits takes its slot last, when its turn has come", arguments: [false, true])
    func severalLimits(isShared: Bool) async {
        let limiter = limiter(isShared: isShared)
        let minute = Limit(.key(nil), Quota(3, per: .minute))
        let both = [LimitCharge(minute, .everybody), LimitCharge(Self.two, .everybody)]
        await hold(1...2, limiter)
        await wait(3...3, limiter, both)
        users.end(1)
        #expect(await reaches { users.holders.contains(3) })
        for number in 4...5 {
            _ = users.start(number, limiter, [LimitCharge(minute, .everybody)], seconds: 0)
            #expect(await reaches { users.holders.contains(number) })
        }
        // There is a slot, but no room.
        users.end(2)
        #expect(await reaches { limiter.metrics().slots == 1 })
        await wait(6...6, limiter, both)
        #expect(limiter.metrics().slots == 1)
        _ = users.start(7, limiter, Self.charges, seconds: 0)
        #expect(await reaches { users.holders.contains(7) }, "the slot is free until the turn")
        clock.advance(microseconds: 61_500_000)
        #expect(await reaches { limiter.metrics().waiting == 1 }, "it waits for a slot now")
        clock.advance(microseconds: 20_000_000)
        #expect(limiter.metrics().slots == 2)
        users.end(7)
        #expect(await reaches { users.holders.contains(6) })
        for number in [3, 4, 5, 6] { users.end(number) }
        #expect(await reaches { limiter.metrics().slots + limiter.metrics().waiting == 0 })
        limiter.stop()
    }

    @Test("when the store fails, the rule for outages decides about requests that wait for a slot")
    func outage() async {
        let limiter = Limiter(
            store: store,
            LimiterOptions(storeDown: .deny, timeoutMicroseconds: 5_000_000, slotMicroseconds: 36_000_000_000),
            on: TestLoops.ofStores,
            clock: clock.clock
        )
        await hold(1...2, limiter)
        await wait(3...4, limiter)
        store.setDown(true)
        store.order(.notDone)
        users.end(1)
        #expect(await reaches({ users.refusals.count == 2 }, passing: 10_000))
        #expect(users.refusals.values.allSatisfy { $0.refusal == nil })
        users.end(2)
        limiter.stop()
    }
}

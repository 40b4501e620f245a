import Engine
import Support
import Testing

@testable import Limits

/// Random requests under budgets, decided by the relay's own values and counted by its limiter.
struct BudgetWorld {
    /// A fault of a relay, which the checks must find.
    enum Plant: CaseIterable {
        case uncountedDraw, unsentBound, lateEnd, drawAfterEnd, useGivenTwice
    }

    private struct Running {
        var reservation: Holder
        let limiter: Limiter
        let output: LikelyOutput
        let length: Int
        let bound: Int?
        var allowance: Allowance
        var written = 0
    }

    /// An object that holds a reservation, which no array can hold.
    private final class Holder {
        var reservation: Reservation?
        var held: [ReservedUnits]

        init(_ reservation: consuming Reservation) {
            held = reservation.decision.held
            self.reservation = consume reservation
        }

        func add(_ draw: consuming Reservation) {
            held += draw.decision.held
            guard var own = reservation.take() else { return }
            own.add(draw)
            reservation = consume own
        }

        func settle(_ used: Amounts) { reservation.take()?.settle(used: used) }
    }

    private static let usual = Amounts(tokens: 300, usd: 2_000, credits: 40)
    private static let dearest = Amounts(tokens: 300, usd: 5_000, credits: 40)
    /// The instances, which share a store if there are several.
    private let limiters: [Limiter]
    private let loop: EventLoop?
    private let limits: [Limit]
    private let charges: [LimitCharge]
    private let plant: Plant?
    private var dice: Dice
    private var spent = Amounts()
    private var running: [Running] = []
    private(set) var violations: [String] = []

    /// - Parameter loop: where the requests of several instances are decided.
    init(seed: Int, _ plant: Plant?, instances: Int = 1, on loop: EventLoop? = nil) {
        dice = Dice(seed: seed)
        self.loop = loop
        if loop == nil {
            limiters = [Limiter(store: nil, clock: TestClock().clock)]
        } else {
            let store = MemoryCounters { epoch / 1_000_000 }
            let clock = TestClock().clock
            limiters = (0..<instances).map { _ in
                Limiter(
                    store: store,
                    LimiterOptions(timeoutMicroseconds: 60_000_000),
                    on: TestLoops.ofStores,
                    clock: clock
                )
            }
        }
        let units: [Quota.Unit] = [.tokens, .usd, .credits]
        limits = units.prefix(1 + dice.below(3)).map { [dice] unit in
            var dice = dice
            let least = ([.tokens: 3_000, .usd: 60_000, .credits: 1_000] as [Quota.Unit: Int])[unit] ?? 1
            return Limit(.total, Quota(least * (1 + dice.below(40)), unit, per: .hour))
        }
        charges = limits.map { LimitCharge($0, .everybody) }
        self.plant = plant
    }

    private func need(_ perMillion: Amounts) -> OutputNeeds {
        OutputNeeds(usual: Self.usual, dearest: Self.dearest, perMillion: perMillion)
    }

    private func cost(_ one: Running) -> Amounts {
        var sum = Self.usual
        for unit in [Quota.Unit.tokens, .usd, .credits] {
            let units = one.output[unit]?.units(ofOutput: one.written) ?? 0
            switch unit {
            case .tokens: sum.tokens += units
            case .usd: sum.usd += units
            default: sum.credits += units
            }
        }
        return sum
    }

    private static func reserve(
        _ charges: [LimitCharge],
        at limiter: Limiter,
        on loop: EventLoop?
    ) async -> Reservation? {
        guard let loop else { return limiter.reserveInMemory(charges) }
        return await limiter.reserve(charges, on: loop)
    }

    /// Returns the free units of a limit as an instance reads them.
    private func free(_ limit: Limit, at limiter: Limiter) async -> Int {
        guard let look = await Self.reserve([LimitCharge(limit, .everybody, units: 0)], at: limiter, on: loop) else {
            return 0
        }
        return look.decision.budget?.remaining ?? 0
    }

    /// Lets so many requests begin, and all of them end.
    mutating func run(requests: Int) async {
        var begun = 0
        while begun < requests || !running.isEmpty {
            if begun < requests, running.count < 16, dice.below(3) == 0 || running.isEmpty {
                begun += 1
                await begin()
            } else if !running.isEmpty {
                await advance(dice.below(running.count))
            }
            check()
        }
        for limit in limits {
            let unit = limit.quota.unit
            var left = await free(limit, at: limiters[0])
            // The others write what they settled last.
            for _ in 0..<2_000 where loop != nil && left != limit.quota.count - spent[unit] {
                await loop?.sleep(nanoseconds: 1_000_000)
                left = await free(limit, at: limiters[0])
            }
            if left != limit.quota.count - spent[unit] { violations.append("\(unit) were not settled once") }
        }
    }

    private mutating func begin() async {
        let limiter = limiters[dice.below(limiters.count)]
        let price = Amounts(tokens: 1_000_000, usd: 1_000_000 * (1 + dice.below(30)), credits: 10_000 * dice.below(20))
        var output = LikelyOutput(
            likely: 256 + dice.below(1_500),
            asked: dice.below(4) == 0 ? nil : 1 + dice.below(128_000),
            isSeen: dice.below(3) > 0,
            need(price)
        )
        output.fit(charges)
        let own = charges.compactMap(output.charge)
        var fits = true
        for charge in own where charge.units > (await free(charge.limit, at: limiter)) { fits = false }
        guard let reservation = await Self.reserve(own, at: limiter, on: loop) else { return }
        // Meanwhile another instance may have written what it gives back.
        if reservation.decision.isAdmitted != fits, loop == nil || fits {
            violations.append("admission differs from what fits")
        }
        guard reservation.decision.isAdmitted else { return }
        let holder = Holder(reservation)
        guard let paid = output.paid(by: holder.held, after: Amounts()) else { return }
        var bound = output.asked
        let most = output.isSeen ? paid.reserved + paid.spare + paid.free : paid.reserved
        if most < bound ?? .max, plant != .unsentBound { bound = most }
        let length = dice.below(4) == 0 ? dice.below(40_000) : dice.below(1_000)
        running.append(
            Running(
                reservation: holder,
                limiter: limiter,
                output: output,
                length: min(length, bound ?? .max),
                bound: bound,
                allowance: Allowance(reserved: paid.reserved, spare: paid.spare, bound: bound)
            )
        )
    }

    private mutating func advance(_ index: Int) async {
        let piece = min(1 + dice.below(200), running[index].length - running[index].written)
        running[index].written += piece
        var one = running[index]
        one.allowance.counted = one.written
        one.allowance.onTheirWay = 400
        var isOver = one.written >= one.length
        if one.output.isSeen {
            loop: while !isOver {
                switch one.allowance.step {
                case .goOn: break loop
                case .end:
                    isOver = plant != .lateEnd
                    if !isOver { break loop }
                case .draw(let tokens): await draw(tokens, &one)
                }
            }
        }
        running[index] = one
        if isOver { await end(index) }
    }

    private func draw(_ tokens: Int, _ one: inout Running) async {
        if plant == .uncountedDraw {
            one.allowance.reserved += tokens
            return
        }
        let more = charges.compactMap { one.output.draw(tokens, $0) }
        guard let draw = await Self.reserve(more, at: one.limiter, on: loop) else { return }
        guard draw.decision.isAdmitted else {
            one.allowance.free = 0
            return
        }
        one.reservation.add(draw)
        one.allowance.free = nil
        guard let paid = one.output.paid(by: one.reservation.held, after: Amounts()) else { return }
        (one.allowance.reserved, one.allowance.spare) = (paid.reserved, paid.spare)
    }

    private mutating func end(_ index: Int) async {
        let one = running.remove(at: index)
        let used = cost(one)
        spent = spent + used
        switch plant {
        case .useGivenTwice: one.reservation.settle(used + used)
        case .drawAfterEnd:
            one.reservation.settle(used)
            _ = await Self.reserve(charges.compactMap { one.output.draw(64, $0) }, at: one.limiter, on: loop)
        default: one.reservation.settle(used)
        }
    }

    func stop() { for limiter in limiters where loop != nil { limiter.stop() } }

    private mutating func check() {
        let all = running.reduce(spent) { $0 + cost($1) }
        for limit in limits where all[limit.quota.unit] > limit.quota.count {
            violations.append("\(all[limit.quota.unit]) of \(limit.quota.text)")
        }
    }
}

@Suite struct BudgetTests {
    @Test(
        "of 10,000 random requests none passes a budget, all that fit are served, and each is settled once",
        arguments: 0..<100
    )
    func property(seed: Int) async {
        var world = BudgetWorld(seed: seed, nil)
        await world.run(requests: 100)
        #expect(world.violations.prefix(3).isEmpty)
    }

    @Test("neither do those of sixteen instances at one store", arguments: 0..<8)
    func instances(seed: Int) async {
        let violations = await TestLoops().run { loop in
            var world = BudgetWorld(seed: seed, nil, instances: 16, on: loop)
            await world.run(requests: 100)
            world.stop()
            return world.violations
        }
        #expect(violations.prefix(3).isEmpty)
    }

    @Test("each planted fault is found", arguments: BudgetWorld.Plant.allCases)
    func plants(plant: BudgetWorld.Plant) async {
        for seed in 0..<30 {
            var world = BudgetWorld(seed: seed, plant)
            await world.run(requests: 100)
            if !world.violations.isEmpty { return }
        }
        Issue.record("not found")
    }
}

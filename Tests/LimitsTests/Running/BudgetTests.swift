import Engine
import Limits
import Support
import Testing

/// Random requests under budgets, decided by the relay's own values and counted by its limiter.
struct BudgetWorld {
    /// A fault of a relay, which the checks must find.
    enum Plant: CaseIterable {
        case uncountedDraw, unsentBound, lateEnd, drawAfterEnd, useGivenTwice
    }

    private struct Running {
        var reservation: Holder
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
    private let limiter = Limiter(store: nil, clock: TestClock().clock)
    private let limits: [Limit]
    private let charges: [LimitCharge]
    private let plant: Plant?
    private var dice: Dice
    private var spent = Amounts()
    private var running: [Running] = []
    private(set) var violations: [String] = []

    init(seed: Int, _ plant: Plant?) {
        dice = Dice(seed: seed)
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

    /// Lets so many requests begin, and all of them end.
    mutating func run(requests: Int) {
        var begun = 0
        while begun < requests || !running.isEmpty {
            if begun < requests, running.count < 16, dice.below(3) == 0 || running.isEmpty {
                begun += 1
                begin()
            } else if !running.isEmpty {
                advance(dice.below(running.count))
            }
            check()
        }
        for limit in limits {
            let left = limiter.reserveInMemory([LimitCharge(limit, .everybody, units: 0)])?.decision.budget?.remaining
            let unit = limit.quota.unit
            if left != limit.quota.count - spent[unit] { violations.append("\(unit) were not settled once") }
        }
    }

    private mutating func begin() {
        let price = Amounts(tokens: 1_000_000, usd: 1_000_000 * (1 + dice.below(30)), credits: 10_000 * dice.below(20))
        var output = LikelyOutput(
            likely: 256 + dice.below(1_500),
            asked: dice.below(4) == 0 ? nil : 1 + dice.below(128_000),
            isSeen: dice.below(3) > 0,
            need(price)
        )
        output.fit(charges)
        let own = charges.compactMap(output.charge)
        let free = limits.map { limit in
            limiter.reserveInMemory([LimitCharge(limit, .everybody, units: 0)])?.decision.budget?.remaining ?? 0
        }
        let fits = own.allSatisfy { charge in
            zip(limits, free).contains { $0 == charge.limit && charge.units <= $1 }
        }
        guard let reservation = limiter.reserveInMemory(own) else { return }
        if reservation.decision.isAdmitted != fits { violations.append("admission differs from what fits") }
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
                output: output,
                length: min(length, bound ?? .max),
                bound: bound,
                allowance: Allowance(reserved: paid.reserved, spare: paid.spare, bound: bound)
            )
        )
    }

    private mutating func advance(_ index: Int) {
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
                case .draw(let tokens): draw(tokens, &one)
                }
            }
        }
        running[index] = one
        if isOver { end(index) }
    }

    private func draw(_ tokens: Int, _ one: inout Running) {
        if plant == .uncountedDraw {
            one.allowance.reserved += tokens
            return
        }
        guard let draw = limiter.reserveInMemory(charges.compactMap { one.output.draw(tokens, $0) }) else { return }
        guard draw.decision.isAdmitted else {
            one.allowance.free = 0
            return
        }
        one.reservation.add(draw)
        one.allowance.free = nil
        guard let paid = one.output.paid(by: one.reservation.held, after: Amounts()) else { return }
        (one.allowance.reserved, one.allowance.spare) = (paid.reserved, paid.spare)
    }

    private mutating func end(_ index: Int) {
        let one = running.remove(at: index)
        let used = cost(one)
        spent = spent + used
        switch plant {
        case .useGivenTwice: one.reservation.settle(used + used)
        case .drawAfterEnd:
            one.reservation.settle(used)
            _ = limiter.reserveInMemory(charges.compactMap { one.output.draw(64, $0) })
        default: one.reservation.settle(used)
        }
    }

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
    func property(seed: Int) {
        var world = BudgetWorld(seed: seed, nil)
        world.run(requests: 100)
        #expect(world.violations.prefix(3).isEmpty)
    }

    @Test("each planted fault is found", arguments: BudgetWorld.Plant.allCases)
    func plants(plant: BudgetWorld.Plant) {
        let isFound = (0..<30).contains { seed in
            var world = BudgetWorld(seed: seed, plant)
            world.run(requests: 100)
            return !world.violations.isEmpty
        }
        #expect(isFound)
    }
}

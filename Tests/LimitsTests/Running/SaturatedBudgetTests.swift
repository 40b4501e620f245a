import Engine
import Glibc
import Limits
import Support
import Testing

/// Agents that ask again and again under a budget that pays a part of what they want, for days of virtual time.
private struct SaturatedBudget {
    private final class Agent {
        var reservation: Reservation?
        var held: [ReservedUnits] = []
        var output: LikelyOutput?
        var allowance = Allowance(reserved: 0)
        var (length, written, actsAt) = (0, 0, 0)
        var isLowered = false
    }

    // Prices of Claude in nanodollars: a prompt of 20,000 tokens, of which the cache holds nearly all.
    private static let (usual, dearest, perMillion) = (10_000_000, 125_000_000, 25_000_000_000)
    private static let tokensPerSecond = 60
    private let clock = TestClock()
    private let averages: RecentUsageAverages
    private let limiter: Limiter
    private let charge: LimitCharge
    private let agents: [Agent]
    private var dice: Dice
    private(set) var (responses, cut, spent) = (0, 0, 0)

    init(dollars: Int, agents: Int, seed: Int) {
        let clock = clock.clock
        limiter = Limiter(store: nil, clock: clock)
        averages = RecentUsageAverages { clock.now().wall }
        charge = LimitCharge(Limit(.total, Quota(dollars * 1_000_000_000, .usd, per: .day)), .everybody)
        self.agents = (0..<agents).map { _ in Agent() }
        dice = Dice(seed: seed)
    }

    mutating func run(days: Int) {
        var second = 0
        while second < days * 86_400 {
            for agent in agents where agent.actsAt <= second {
                if agent.reservation == nil { begin(agent, second) } else { write(agent, second) }
            }
            let next = agents.map(\.actsAt).min() ?? .max
            clock.advance(microseconds: (next - second) * 1_000_000)
            second = next
        }
    }

    /// Returns the length of a response: most are short, a few are ten times as long.
    private mutating func length() -> Int {
        let share = Double(1 + dice.below(1_000_000)) / 1_000_001
        return 1 + Int(-500 * log(share))
    }

    private mutating func begin(_ agent: Agent, _ second: Int) {
        let price = Amounts(usd: Self.perMillion)
        let needs = OutputNeeds(usual: Amounts(usd: Self.usual), dearest: Amounts(usd: Self.dearest), perMillion: price)
        let output = LikelyOutput(likely: averages.means(of: "m").likelyTokens, asked: 32_000, isSeen: true, needs)
        agent.actsAt = second + 120
        guard let own = output.charge(charge), let reservation = limiter.reserveInMemory([own]),
            reservation.decision.isAdmitted
        else { return }
        agent.held = reservation.decision.held
        agent.reservation = consume reservation
        agent.output = output
        agent.actsAt = second + 1
        guard let paid = output.paid(by: agent.held, after: Amounts()) else { return }
        let most = paid.reserved + paid.spare + paid.free
        let bound = most < 32_000 ? most : nil
        let wanted = length()
        agent.length = min(wanted, bound ?? .max)
        agent.isLowered = agent.length < wanted
        agent.written = 0
        agent.allowance = Allowance(reserved: paid.reserved, spare: paid.spare, bound: bound ?? 32_000)
    }

    private mutating func write(_ agent: Agent, _ second: Int) {
        guard let output = agent.output else { return }
        agent.actsAt = second + 1
        agent.written = min(agent.length, agent.written + Self.tokensPerSecond)
        agent.allowance.counted = agent.written
        loop: while agent.written < agent.length {
            switch agent.allowance.step {
            case .goOn: return
            case .end:
                agent.isLowered = true
                break loop
            case .draw(let tokens):
                let draw = output.draw(tokens, charge).flatMap { limiter.reserveInMemory([$0]) }
                guard let draw, draw.decision.isAdmitted else {
                    agent.allowance.free = 0
                    continue
                }
                agent.held += draw.decision.held
                if var own = agent.reservation.take() {
                    own.add(draw)
                    agent.reservation = consume own
                }
                agent.allowance.free = nil
                if let paid = output.paid(by: agent.held, after: Amounts()) {
                    (agent.allowance.reserved, agent.allowance.spare) = (paid.reserved, paid.spare)
                }
            }
        }
        let used =
            Self.usual
            + OutputNeed(usualPrompt: 0, dearestPrompt: 0, perMillion: Self.perMillion).units(ofOutput: agent.written)
        agent.reservation.take()?.settle(used: Amounts(usd: used))
        if !agent.isLowered {
            averages.record("m", by: nil, RecentUsageAverages.Lesson(completionTokens: agent.written))
        }
        (responses, cut, spent) = (responses + 1, cut + (agent.isLowered ? 1 : 0), spent + used)
        agent.actsAt = second + 2
    }
}

@Suite struct SaturatedBudgetTests {
    @Test("of saturated budgets few responses are cut", arguments: [(1, 4), (5, 4), (5, 16)])
    func cut(dollars: Int, agents: Int) {
        var budget = SaturatedBudget(dollars: dollars, agents: agents, seed: dollars + agents)
        budget.run(days: 6)
        let share = Double(budget.cut) / Double(budget.responses)
        #expect(share <= 0.05)
    }
}

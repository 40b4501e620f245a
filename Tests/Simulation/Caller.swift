import Support

@testable import Limits

/// A simulated caller, which sends requests in one of several ways.
final class Caller {
    enum Manner {
        /// Sends a batch of requests again and again. After a refusal it waits for the given time.
        case greedy(batch: Int)
        /// Sends one request with so many units at each of these times.
        case planned([(time: Int, units: Int)])
        /// Sends one request at a time. After a refusal it comes back exactly at the given time.
        case punctual
        /// Sends one request at a time. After a refusal it comes back several times before the given time.
        case early
        /// Sends some requests at once, then nothing for a while.
        case bursty(most: Int)
    }

    private let simulation: Simulation
    private let subjects: [Subject]
    private let manner: Manner
    /// The index of the instance that the caller uses; nil uses any.
    private let home: Int?
    private let units: [ClosedRange<Int>]
    /// The time between an admitted request and the next one, in microseconds.
    private let think: ClosedRange<Int>
    private var dice: Seeded
    /// The time that each request waits for its turn, in microseconds; 0 if none does.
    private let patience: Int
    private var round = 0
    private var isModest: Bool { if case .planned = manner { true } else { false } }

    init(
        _ simulation: Simulation,
        _ subjects: [Subject],
        _ manner: Manner,
        home: Int?,
        units: [ClosedRange<Int>],
        think: ClosedRange<Int>,
        _ dice: Seeded
    ) {
        self.simulation = simulation
        self.subjects = subjects
        self.manner = manner
        self.home = home
        self.units = units
        self.think = think
        self.dice = dice
        var other = dice
        let longest = simulation.scenario.longestPatience
        patience = longest == 0 || other.below(4) == 0 ? 0 : 1 + other.below(longest)
    }

    func start(at time: Int) {
        if case .planned(let plan) = manner {
            for (time, units) in plan { at(time) { self.ask([units]) { _, _ in } } }
        } else {
            at(time) { self.go() }
        }
    }

    private func at(_ time: Int, _ body: @escaping () -> Void) {
        simulation.timeline.at(time) { if self.simulation.isLoading { body() } }
    }

    private var now: Int { simulation.timeline.now }

    private func pause() -> Int { max(1, Int.random(in: think, using: &dice)) }

    private func go() {
        round += 1
        let (round, count) = (self.round, width())
        var open = count
        var back: Int?
        if simulation.mayLoseAsks {
            at(now + 2 * simulation.scenario.timeoutMicroseconds + 1_000_000) { if self.round == round { self.go() } }
        }
        for _ in 0..<count {
            ask(units.map { Int.random(in: $0, using: &dice) }) { decision, instance in
                open -= 1
                if !decision.isAdmitted {
                    let wait = decision.refusal.map { $0.retryAfterMicroseconds ?? 60_000_000 } ?? 1_000_000
                    let time = instance.clock.time(
                        ofWall: instance.clock.wall(at: self.now) + max(1, wait),
                        notBefore: self.now
                    )
                    back = min(back ?? .max, time)
                }
                if open == 0, self.round == round { self.next(back) }
            }
        }
    }

    private func width() -> Int {
        switch manner {
        case .greedy(let batch): batch
        case .bursty(let most): 1 + dice.below(most)
        case .punctual, .early, .planned: 1
        }
    }

    private func next(_ back: Int?) {
        switch (manner, back) {
        case (.bursty, _), (_, nil): at(now + pause()) { self.go() }
        case (.early, let back?) where dice.below(4) > 0:
            at(now + 1 + dice.below(max(1, back - now))) { self.go() }
        case (_, let back?): at(back) { self.go() }
        }
    }

    private func ask(_ units: [Int], _ then: @escaping (Decision, SimulatedInstance) -> Void) {
        guard simulation.takesAsk() else { return }
        let instance = simulation.instance(home ?? dice.below(simulation.started))
        let ask = Judge.Ask(
            instance.number,
            Array(zip(subjects, units)).map { (subject: $0.0, units: $0.1) },
            isModest: isModest,
            wishesMore: !isModest && round.isMultiple(of: 2),
            patience: patience
        )
        let mayLeave = patience > 0 && !isModest && !subjects.contains(where: \.isExclusive)
        if mayLeave, dice.below(5) == 0 { instance.at(now + dice.below(patience)) { instance.leave(ask) } }
        instance.at(now) {
            instance.ask(ask) { decision in
                if decision.isAdmitted { self.useLater(ask, decision, instance) }
                then(decision, instance)
            }
        }
    }

    /// Settles most reservations after a while, with fewer or more units than were reserved.
    private func useLater(_ ask: Judge.Ask, _ decision: Decision, _ instance: SimulatedInstance) {
        guard !decision.held.isEmpty else { return }
        func used(_ unit: Quota.Unit) -> Int {
            guard let part = ask.parts.first(where: { $0.subject.limit.quota.unit == unit }) else { return 0 }
            return switch dice.below(5) {
            case 0: 0
            case 1: part.units
            case 2: part.units + dice.below(part.units + 1)
            default: dice.below(part.units + 1)
            }
        }
        let amounts = dice.below(10) == 0 ? nil : Amounts(tokens: used(.tokens), credits: used(.credits))
        instance.at(now + dice.below(simulation.scenario.longestHoldMicroseconds)) {
            instance.settle(ask, decision, amounts)
        }
    }
}

import Support

@testable import Limits

/// Relays under load over several days of the calendar, with clocks that are five seconds apart. A request counts in the
/// day of its instance's clock; a response that ends later is settled there. One day has 25 hours, one has 23.
package struct Midnights: Sendable {
    /// The use of one limit in one day.
    package struct Row: Sendable {
        package let bound: Int
        /// The units that count in the end.
        package let used: Int
        /// The largest number of units that counted at one time.
        package let most: Int
    }

    package let rows: [Row]
    package let breaches: [Breach]

    package init(seed: Int, plant: Plant? = nil) {
        var dice = Seeded(UInt64(bitPattern: Int64(seed)))
        _ = dice.next()
        let start = 1_800_000_000_000_000 + dice.below(86_400_000_000)
        let simulation = Simulation(.midnights(from: start), seed: seed, plant: plant, dice)
        let clients = MidnightClients(simulation, dice)
        clients.start()
        breaches = simulation.run().breaches
        rows = clients.subjects.dropLast().joined().map { subject in
            let sums = subject.admissions.map { last in
                subject.admissions.reduce(0) { $0 + ($1.time <= last.time ? $1.counts(at: last.time) : 0) }
            }
            let used = subject.admissions.reduce(0) { $0 + $1.counts(at: .max - 1) }
            return Row(bound: subject.bound, used: used, most: sums.max() ?? 0)
        }
    }
}

/// The clients of one caller at all instances.
private final class MidnightClients {
    private let simulation: Simulation
    private let ends: [Int]
    /// The limits of each day.
    let subjects: [[Subject]]
    private var dice: Seeded

    init(_ simulation: Simulation, _ dice: Seeded) {
        self.simulation = simulation
        self.dice = dice
        let ends = [25, 48, 72].map { simulation.scenario.start + $0 * 3_600_000_000 }
        self.ends = ends
        subjects = ends.map { end in
            simulation.scenario.quotas.map { quota in
                let period = CalendarPeriod(name: "day \(end)", endMicroseconds: end, endText: "")
                let limit = Limit(.key(nil), quota, in: period)
                let sliding = Limit(
                    .key(nil),
                    quota,
                    layout: BucketLayout(windowSeconds: quota.windowSeconds),
                    scope: (nil, period)
                )
                let isSliding = simulation.plant == .periodSlides
                return simulation.judge.add(isSliding ? sliding : limit, .knownKey(named: "A"), isExclusive: false)
            }
        }
    }

    func start() {
        for index in 0..<simulation.scenario.instances {
            keepAsking(index, at: simulation.scenario.start + dice.below(60_000_000))
            for midnight in ends.dropLast() {
                for _ in 0..<20 { at(midnight - 8_000_000 + dice.below(10_000_000)) { self.ask(index) } }
            }
        }
    }

    private func at(_ time: Int, _ body: @escaping () -> Void) {
        simulation.timeline.at(time) { if self.simulation.isLoading { body() } }
    }

    private func keepAsking(_ index: Int, at time: Int) {
        at(time) {
            self.ask(index)
            self.keepAsking(index, at: time + 1 + self.dice.below(1_200_000_000))
        }
    }

    private func ask(_ index: Int) {
        let instance = simulation.instance(index)
        let wall = instance.clock.wall(at: simulation.timeline.now)
        let day = subjects[ends.firstIndex { wall < $0 } ?? ends.count - 1]
        let parts = dice.pick([Array(day.prefix(1)), Array(day.suffix(1)), day])
        ask(instance, parts.map { (subject: $0, units: $0.limit.quota.unit == .tokens ? 100 : 1) }, for: 10_000_000)
    }

    /// Sends a request. Half of the responses draw more tokens while they run, in the day of their request.
    private func ask(_ instance: SimulatedInstance, _ parts: [(subject: Subject, units: Int)], for microseconds: Int) {
        let ask = Judge.Ask(instance.number, parts)
        instance.ask(ask) { decision in
            let tokens = parts.filter { $0.subject.limit.quota.unit == .tokens }
            guard decision.isAdmitted, let first = tokens.first else { return }
            let (now, rest) = (self.simulation.timeline.now, self.dice.below(microseconds))
            if microseconds > 1, self.dice.below(2) == 0 {
                instance.at(now + self.dice.below(rest + 1)) { self.ask(instance, [(first.subject, 50)], for: 1) }
            }
            let used = self.dice.below(first.units + 1)
            instance.at(now + rest) { instance.settle(ask, decision, Amounts(tokens: used)) }
        }
    }
}

extension Scenario {
    fileprivate static func midnights(from start: Int) -> Scenario {
        Scenario(
            kind: .apart,
            timeoutMicroseconds: 250_000,
            instances: 4,
            slotMicroseconds: 1_440_000_000,
            weather: Network.Weather(delay: 20...2_000),
            detours: [0, 0, 0, 0],
            quotas: [Quota(60, per: .day, isCalendar: true), Quota(6_000, .tokens, per: .day, isCalendar: true)],
            start: start,
            loadEnd: start + 49 * 3_600_000_000,
            offsets: [0, 5_000_000, 0, 5_000_000]
        )
    }
}

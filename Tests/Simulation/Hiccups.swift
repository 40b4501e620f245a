import Support

@testable import Limits

/// Runs in which the store is often silent for a moment, and then carries out what it was sent. When all requests have
/// ended, the records must hold what these have used.
package struct Hiccups {
    package let breaches: [String]
    /// The units that were used under all limits.
    package let used: Int

    /// The limits, of which the first two have room for all requests. In the last one requests wait for their turns.
    private static let quotas = [
        Quota(10_000_000, .tokens, per: .minute, times: 30),
        Quota(10_000, per: .minute, times: 30),
        Quota(30_000, .tokens, per: .minute),
    ]
    private static let second = 1_000_000

    private final class Run {
        let simulation: Simulation
        var dice: Seeded
        var used: [Int]

        init(_ simulation: Simulation, _ dice: Seeded, subjects: Int) {
            self.simulation = simulation
            self.dice = dice
            used = [Int](repeating: 0, count: subjects)
        }
    }

    /// - Parameters:
    ///   - seed: decides who asks when for how much, and when the store is silent.
    ///   - plant: a fault that is put in.
    package init(seed: Int, plant: Plant? = nil, trace: ((String) -> Void)? = nil) {
        var dice = Seeded(UInt64(bitPattern: Int64(seed)))
        _ = dice.next()
        let (instances, start) = (2, 1_800_000_000_000_000 + dice.below(60 * Self.second))
        var weather = Network.Weather(delay: 20...1_000)
        weather.lostWriteAnswers = dice.pick([0, 0, 20])
        weather.lostCalls = dice.pick([0, 0, 10])
        weather.late = dice.pick([0, 0, 10])
        let load = start + 50 * Self.second..<start + 70 * Self.second
        let scenario = Scenario(
            kind: .slow,
            rule: dice.pick(StoreDownRule.allCases.filter { $0 != .allow }),
            timeoutMicroseconds: 250_000,
            instances: instances,
            countedInstances: instances,
            slotMicroseconds: 30 * Self.second,
            weather: weather,
            detours: [Int](repeating: 0, count: instances),
            quotas: Self.quotas,
            start: start,
            loadEnd: load.upperBound + 15 * Self.second,
            asksBound: 10_000
        )
        let simulation = Simulation(scenario, seed: seed, plant: plant, dice, trace: trace)
        // The first six limits are used at one instance each, the others at both.
        let subjects = (0..<9).map {
            simulation.judge.add(
                simulation.limit(Self.quotas[$0 % 3]),
                simulation.identity($0),
                isExclusive: false
            )
        }
        let run = Run(simulation, dice, subjects: subjects.count)
        for (number, subject) in subjects.enumerated() {
            Self.begin(run, number, subject, load, at: (0..<instances).filter { number >= 6 || $0 == number % 2 })
        }
        var time = load.lowerBound
        while time < load.upperBound {
            time += 50_000 + run.dice.below(1_200_000)
            let end = time + run.dice.pick([50_000, 200_000, 300_000, 600_000])
            simulation.timeline.at(time) { simulation.servers[0].hangsUntil = end }
            time = end
        }
        simulation.timeline.at(load.upperBound + 2 * Self.second) {
            simulation.network.weather = Network.Weather(delay: 20...1_000)
        }
        var breaches = simulation.run().breaches.map(\.text)
        for (number, subject) in subjects.enumerated() {
            let value = simulation.servers[0].value(subject.storeKey)
            let record = value.flatMap { try? Record($0, subject.limit.layout) }
            let total = record.map { $0.future.reduce($0.total) { $0 + $1.units } } ?? 0
            // Where another instance has written since, nobody knows what became of a write without a response.
            if number < 6 ? total != run.used[number] : total < run.used[number] {
                breaches.append("the record of \(number) holds \(total) of \(run.used[number]) used units")
            }
        }
        self.breaches = breaches
        used = run.used.reduce(0, +)
    }

    /// Schedules the requests for one limit.
    private static func begin(_ run: Run, _ number: Int, _ subject: Subject, _ load: Range<Int>, at instances: [Int]) {
        let timeline = run.simulation.timeline
        let isOfTurns = number % 3 == 2
        if isOfTurns {
            // Uses the whole limit up, a minute before it is free again in the middle of the load.
            let time = load.lowerBound - 50 * second + run.dice.below(second)
            timeline.at(time) { ask(run, number, subject, at: instances[0], units: 30_000, isFilling: true) }
        }
        var time = load.lowerBound
        while time < load.upperBound {
            time += number % 3 == 1 ? run.dice.below(60_000) : run.dice.below(400_000)
            let units = number % 3 == 1 ? 1 : 1 + run.dice.below(4_000)
            let instance = run.dice.pick(instances)
            timeline.at(time) { ask(run, number, subject, at: instance, units: units) }
        }
    }

    private static func ask(
        _ run: Run,
        _ number: Int,
        _ subject: Subject,
        at index: Int,
        units: Int,
        isFilling: Bool = false
    ) {
        let (instance, timeline) = (run.simulation.instance(index), run.simulation.timeline)
        let patience = number % 3 == 2 && !isFilling ? run.dice.below(20) * second : 0
        let ask = Judge.Ask(instance.number, [(subject: subject, units: units)], patience: patience)
        instance.ask(ask) { decision in
            guard decision.isAdmitted, !isFilling else { return }
            guard subject.limit.quota.unit == .tokens else {
                run.used[number] += units
                return
            }
            let used = run.dice.below(units + units / 4)
            timeline.at(timeline.now + run.dice.below(2 * second)) {
                instance.settle(ask, decision, Amounts(tokens: used))
                run.used[number] += used
            }
        }
    }
}

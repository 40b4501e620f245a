import Support

@testable import Limits

/// Runs in which the store loses records, and then each instance is replaced by one that knows nothing.
package struct Losses {
    package let breaches: [String]
    /// The units that were used under all limits.
    package let used: Int

    /// A reservation: what it asks for and what it uses.
    private struct Hold {
        let units: Int
        let used: Int
        let seconds: Double
    }

    /// - Parameters:
    ///   - seed: decides the kind of the loss, and who asks when for how much.
    ///   - plant: a fault that is put in.
    package init(seed: Int, plant: Plant? = nil, trace: ((String) -> Void)? = nil) {
        var dice = Seeded(UInt64(bitPattern: Int64(seed)))
        _ = dice.next()
        let (instances, start, second) = (1 + dice.below(4), 1_800_000_000_000_000 + dice.below(60_000_000), 1_000_000)
        let quota = Quota(100_000, .tokens, per: .minute, times: 30)
        let ring = SimulatedRing(servers: dice.below(3) == 0 ? ["one", "two"] : ["one"])
        let lostAt = start + 12 * second
        let kind = dice.below(3)
        let server = dice.below(ring.servers.count)
        let isOrderly = dice.below(2) == 0
        // After an eviction only an orderly end or a slow sweep puts back what nobody uses.
        let replaceAt = lostAt + (kind == 2 && !isOrderly ? 75 : 10) * second
        var incidents = [
            Scenario.Incident(
                time: lostAt,
                what: kind == 0 ? .flush(server: server) : .restart(server: server, lasting: second / 5)
            )
        ]
        let subjects = 8
        if kind == 2 { incidents = (0..<subjects).map { .init(time: lostAt, what: .evict(subject: $0)) } }
        for index in 0..<instances {
            incidents.append(
                .init(time: replaceAt + 2 * index * second, what: .replace(instance: index, after: 0))
            )
        }
        let scenario = Scenario(
            kind: .slow,
            ring: ring,
            timeoutMicroseconds: 250_000,
            instances: instances,
            slotMicroseconds: 30 * second,
            weather: Network.Weather(delay: 20...1_000),
            detours: [Int](repeating: 0, count: instances),
            quotas: [quota],
            start: start,
            loadEnd: replaceAt + (2 + 2 * instances) * second,
            incidents: incidents,
            asksBound: 10_000
        )
        let simulation = Simulation(scenario, seed: seed, plant: plant, dice, trace: trace)
        let all = (0..<subjects).map {
            simulation.judge.add(simulation.limit(quota), simulation.identity($0), isExclusive: false)
        }
        // The list of what was used, by subject.
        let list = List(subjects)
        let timeline = simulation.timeline
        for (number, subject) in all.enumerated() {
            let isBusy = dice.below(2) == 0
            // Of a limit that is reset all is settled before. Some instances hear of it before the loss, some after it.
            let isReset = dice.below(4) == 0 && (kind == 2 || ring.server(of: subject.storeKey) == server)
            if isReset {
                let resetAt = lostAt - 10_000 - dice.below(3 * second)
                timeline.at(resetAt) {
                    simulation.servers[ring.server(of: subject.storeKey)]
                        .reset(subject.storeKey, of: subject.limit, at: simulation.instance(0).clock.wall(at: resetAt))
                    simulation.instance(0).forget(subject, isHere: true)
                    list.used[number] = 0
                }
                for index in 1..<max(1, instances) where dice.below(2) == 0 {
                    timeline.at(resetAt + dice.below(lostAt - resetAt)) {
                        simulation.instance(index).forget(subject)
                    }
                }
            }
            for _ in 0...dice.below(12) {
                var time = start + second + dice.below((isReset ? 3 : 10) * second)
                if isBusy, dice.below(3) == 0 { time = lostAt + 2 * second + dice.below(3 * second) }
                let units = 1 + dice.below(5_000)
                let hold = Hold(
                    units: units,
                    used: dice.below(units + units / 4 + 1),
                    seconds: Double(dice.below(400)) / 100
                )
                let index = dice.below(instances)
                timeline.at(time) {
                    Self.ask(simulation, index, subject, hold, lostAt) { list.used[number] += $0 }
                }
            }
        }
        if isOrderly {
            for index in 0..<instances {
                timeline.at(replaceAt + 2 * index * second - second / 2) {
                    simulation.instance(index).close()
                }
            }
        }
        var breaches = simulation.run().breaches.map(\.text)
        for (number, subject) in all.enumerated() {
            let value = simulation.servers[ring.server(of: subject.storeKey)].value(subject.storeKey)
            let total = value.flatMap { try? Record($0, subject.limit.layout) }?.total ?? 0
            if total != list.used[number] {
                breaches.append("the record of \(number) holds \(total) of \(list.used[number]) used units")
            }
        }
        self.breaches = breaches
        used = list.used.reduce(0, +)
    }

    /// Returns how often a server wrote in five minutes that has room for half of the records, after each was used once.
    package static func writesOfFullServer(seed: Int, plant: Plant? = nil) -> Int {
        let (start, second, subjects) = (1_800_000_000_000_000, 1_000_000, 40)
        let quota = Quota(100_000, .tokens, per: .minute, times: 59)
        let scenario = Scenario(
            kind: .slow,
            timeoutMicroseconds: 250_000,
            instances: 2,
            slotMicroseconds: 3_600 * second,
            weather: Network.Weather(delay: 20...1_000),
            detours: [0, 0],
            quotas: [quota],
            start: start,
            loadEnd: start + 300 * second,
            asksBound: 10_000
        )
        let simulation = Simulation(scenario, seed: seed, plant: plant, Seeded(UInt64(seed)))
        simulation.servers[0].capacity = subjects / 2
        for number in 0..<subjects {
            let subject = simulation.judge.add(
                simulation.limit(quota),
                simulation.identity(number),
                isExclusive: false
            )
            let hold = Hold(units: 100, used: 50, seconds: 1)
            simulation.timeline.at(start + second) { ask(simulation, number % 2, subject, hold, 0) { _ in } }
        }
        _ = simulation.run()
        return simulation.servers[0].writes
    }

    private final class List {
        var used: [Int]

        init(_ count: Int) { used = [Int](repeating: 0, count: count) }
    }

    private static func ask(
        _ simulation: Simulation,
        _ index: Int,
        _ subject: Subject,
        _ hold: Hold,
        _ lostAt: Int,
        _ then: @escaping (Int) -> Void
    ) {
        let ask = Judge.Ask(simulation.instance(index).number, [(subject: subject, units: hold.units)])
        let instance = simulation.instance(index)
        instance.ask(ask) { decision in
            guard decision.isAdmitted else { return }
            // A refund whose write has no answer when the store restarts is not repeated, as at other times.
            var time = simulation.timeline.now + Int(hold.seconds * 1_000_000)
            if lostAt - 5_000..<lostAt ~= time { time -= 5_000 }
            simulation.timeline.at(time) {
                instance.settle(ask, decision, Amounts(tokens: hold.used))
                then(hold.used)
            }
        }
    }
}

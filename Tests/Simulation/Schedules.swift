import Support

@testable import Limits

/// Schedules for faults that random ones hardly meet.
extension Simulation {
    private convenience init(_ quotas: [Quota], detours: [Int], plant: Plant?, seconds: Int, trace: ((String) -> Void)?)
    {
        let start = 1_800_000_000_000_000
        let scenario = Scenario(
            kind: .slow,
            ring: SimulatedRing(servers: ["one"]),
            rule: .deny,
            timeoutMicroseconds: 250_000,
            instances: 2,
            countedInstances: nil,
            slotMicroseconds: 3_600_000_000,
            spread: 0,
            weather: Network.Weather(delay: 20...100),
            detours: detours,
            quotas: quotas,
            start: start,
            loadEnd: start + seconds * 1_000_000,
            incidents: [],
            asksBound: 10_000
        )
        self.init(scenario, seed: 1, plant: plant, Seeded(1), trace: trace)
    }

    /// Asks one instance for single units, and says how many were admitted.
    private func ask(
        _ place: Int,
        _ subject: Subject,
        _ units: Int = 1,
        _ then: @escaping (Judge.Ask, Decision) -> Void = { _, _ in }
    ) {
        let ask = Judge.Ask(instance(place).number, [(subject: subject, units: units)])
        instance(place).ask(ask) { then(ask, $0) }
    }

    /// One instance is four buckets away from the store, another near it: what the far one is admitted falls free before
    /// a window is over since it was decided.
    package static func lateAnswer(plant: Plant?, trace: ((String) -> Void)? = nil) -> Report {
        let quota = Quota(20, .images, per: .second)
        let simulation = Simulation([quota], detours: [35_000, 0], plant: plant, seconds: 3, trace: trace)
        let subject = simulation.judge.add(simulation.limit(quota), simulation.identity(0), isExclusive: false)
        let start = simulation.scenario.start + 1_000_000
        simulation.timeline.at(start) { for _ in 0..<20 { simulation.ask(0, subject) } }
        for time in stride(from: start + 500_000, to: start + 1_500_000, by: 2_000) {
            simulation.timeline.at(time) { simulation.ask(1, subject) }
        }
        return simulation.run()
    }

    /// Units are given back, and the answer to that is lost; others were counted in the same bucket.
    package static func giveBackRepeated(plant: Plant?, trace: ((String) -> Void)? = nil) -> Report {
        let quota = Quota(20, .tokens, per: .minute)
        let simulation = Simulation([quota], detours: [0, 0], plant: plant, seconds: 30, trace: trace)
        let subject = simulation.judge.add(simulation.limit(quota), simulation.identity(0), isExclusive: false)
        let (timeline, network) = (simulation.timeline, simulation.network)
        let start = simulation.scenario.start + 1_000_000
        timeline.at(start) {
            simulation.ask(0, subject, 10) { ask, decision in
                timeline.at(start + 100_000) {
                    network.weather.lostWriteAnswers = 1_000
                    simulation.instance(0).settle(ask, decision, Amounts(tokens: 2))
                }
            }
        }
        timeline.at(start) { simulation.ask(1, subject, 10) }
        timeline.at(start + 200_000) { network.weather.lostWriteAnswers = 0 }
        for number in 0..<20 { timeline.at(start + 5_000_000 + number * 10_000) { simulation.ask(1, subject) } }
        return simulation.run()
    }

    /// A server starts anew, and its versions reach one that an instance has read before and not used. That instance
    /// then gives units back.
    package static func versionKept(plant: Plant?, trace: ((String) -> Void)? = nil) -> Report? {
        let quota = Quota(20, .tokens, per: .minute)
        let simulation = Simulation([quota], detours: [0, 0], plant: plant, seconds: 50, trace: trace)
        let limit = simulation.limit(quota)
        let subject = simulation.judge.add(limit, simulation.identity(0), isExclusive: false)
        let other = simulation.judge.add(limit, simulation.identity(1), isExclusive: false)
        let (timeline, server) = (simulation.timeline, simulation.servers[0])
        let start = simulation.scenario.start + 1_000_000
        var hold: (Judge.Ask, Decision)?
        timeline.at(start) { simulation.ask(0, subject, 8) { hold = ($0, $1) } }
        // The last finds the record full.
        for number in 1...13 { timeline.at(start + number * 10_000) { simulation.ask(0, subject) } }
        var kept: UInt64?
        timeline.at(start + 5_000_000) {
            kept = server.version(subject.storeKey)
            server.stop()
            simulation.judge.loses(server: 0, at: timeline.now)
        }
        timeline.at(start + 5_010_000) { server.isUp = true }
        // Of each lane, so of the subject's too.
        for number in 0..<4 { timeline.at(start + 5_020_000 + number * 10_000) { simulation.ask(0, other) } }
        // The other instance counts in the new record until the versions meet.
        var hasMet = false
        for number in 0..<20 {
            timeline.at(start + 10_000_000 + number * 10_000) {
                if server.version(subject.storeKey) == kept { hasMet = true } else { simulation.ask(1, subject) }
            }
        }
        timeline.at(start + 11_000_000) {
            if let (ask, decision) = hold { simulation.instance(0).settle(ask, decision, Amounts(tokens: 0)) }
        }
        for number in 0..<8 { timeline.at(start + 20_000_000 + number * 10_000) { simulation.ask(0, subject) } }
        let report = simulation.run()
        return hasMet ? report : nil
    }
}

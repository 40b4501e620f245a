import Support

@testable import Limits

/// Schedules for faults that random ones hardly meet.
extension Simulation {
    private convenience init(
        _ quotas: [Quota],
        detours: [Int],
        plant: Plant?,
        seconds: Int,
        accountBytes: Int = 64 * 1_048_576,
        trace: ((String) -> Void)?
    ) {
        let start = 1_800_000_000_000_000
        let scenario = Scenario(
            kind: .slow,
            rule: .deny,
            timeoutMicroseconds: 250_000,
            instances: 2,
            slotMicroseconds: 3_600_000_000,
            weather: Network.Weather(delay: 20...100),
            detours: detours,
            quotas: quotas,
            start: start,
            loadEnd: start + seconds * 1_000_000,
            asksBound: 10_000,
            accountBytes: accountBytes
        )
        self.init(scenario, seed: 1, plant: plant, Seeded(1), trace: trace)
    }

    /// Sends one request to an instance, for one unit by default.
    private func ask(
        _ index: Int,
        _ subject: Subject,
        _ units: Int = 1,
        patience: Int = 0,
        _ then: @escaping (Judge.Ask, Decision) -> Void = { _, _ in }
    ) {
        let ask = Judge.Ask(instance(index).number, [(subject: subject, units: units)], patience: patience)
        instance(index).ask(ask) { then(ask, $0) }
    }

    /// Runs a schedule in which one instance is four buckets away from the store, another one near it. The units of the
    /// far instance become free before a window is over since they were admitted.
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

    /// Runs a schedule in which a far instance uses units two buckets after the one that counted them, while a near one
    /// has turns at the time at which that bucket leaves the record.
    package static func turnUnchecked(plant: Plant?, trace: ((String) -> Void)? = nil) -> Report {
        let quota = Quota(20, .images, per: .second, times: 6)
        let simulation = Simulation([quota], detours: [120_000, 0], plant: plant, seconds: 20, trace: trace)
        let subject = simulation.judge.add(simulation.limit(quota), simulation.identity(0), isExclusive: false)
        let start = simulation.scenario.start + 6_000_000
        simulation.timeline.at(start - 479_000) { for _ in 0..<20 { simulation.ask(0, subject) } }
        simulation.timeline.at(start + 150_000) {
            for _ in 0..<10 { simulation.ask(1, subject, patience: 15_000_000) }
        }
        return simulation.run()
    }

    /// Runs a schedule in which units are refunded, and the response to that write is lost. Other units were counted in
    /// the same bucket.
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

    /// Runs a schedule in which a server restarts, and its versions reach one that an instance has read before and not
    /// used. That instance then refunds units. Returns nil if the versions never met.
    package static func versionKept(plant: Plant?, trace: ((String) -> Void)? = nil) -> Report? {
        let quota = Quota(20, .tokens, per: .minute)
        let simulation = Simulation([quota], detours: [0, 0], plant: plant, seconds: 50, trace: trace)
        let limit = simulation.limit(quota)
        let subject = simulation.judge.add(limit, simulation.identity(0), isExclusive: false)
        let other = simulation.judge.add(limit, simulation.identity(1), isExclusive: false)
        let (timeline, server) = (simulation.timeline, simulation.servers[0])
        server.reportsLife = false
        let start = simulation.scenario.start + 1_000_000
        var reservation: (Judge.Ask, Decision)?
        timeline.at(start) { simulation.ask(0, subject, 12) { reservation = ($0, $1) } }
        // The last request finds the record full.
        for number in 1...9 { timeline.at(start + number * 10_000) { simulation.ask(0, subject) } }
        var kept: UInt64?
        timeline.at(start + 5_000_000) {
            kept = server.version(subject.storeKey)
            server.stop()
            simulation.judge.loses(server: 0, at: timeline.now)
        }
        timeline.at(start + 5_010_000) { server.isUp = true }
        // Requests for another caller reach each lane, including the subject's.
        for number in 0..<4 { timeline.at(start + 5_020_000 + number * 10_000) { simulation.ask(0, other) } }
        // The other instance counts in the new record until the versions meet.
        var hasMet = false
        for number in 0..<20 {
            timeline.at(start + 10_000_000 + number * 10_000) {
                if server.version(subject.storeKey) == kept { hasMet = true } else { simulation.ask(1, subject) }
            }
        }
        timeline.at(start + 11_000_000) {
            if let (ask, decision) = reservation { simulation.instance(0).settle(ask, decision, Amounts(tokens: 0)) }
        }
        for number in 0..<8 { timeline.at(start + 20_000_000 + number * 10_000) { simulation.ask(0, subject) } }
        let report = simulation.run()
        return hasMet ? report : nil
    }

    /// Runs a schedule in which all clocks are set back by two windows while an instance has a lease. A window later,
    /// when none of the lease's units are in the record any more, another instance uses the whole limit. Then the first
    /// one gets requests again.
    package static func leaseAhead(trace: ((String) -> Void)? = nil) -> Report {
        let quota = Quota(1_000, per: .second, times: 10)
        let simulation = Simulation([quota], detours: [0, 0], plant: nil, seconds: 20, trace: trace)
        let subject = simulation.judge.add(simulation.limit(quota), simulation.identity(0), isExclusive: false)
        let timeline = simulation.timeline
        let (start, back) = (simulation.scenario.start + 1_000_000, simulation.scenario.start + 2_000_000)
        for time in stride(from: start, to: back, by: 4_000) { timeline.at(time) { simulation.ask(0, subject) } }
        timeline.at(back) {
            for index in 0..<2 {
                let clock = simulation.instance(index).clock
                clock.set(offset: clock.offset(at: back) - 20_000_000, at: back)
            }
            simulation.servers[0].set(by: -20_000_000)
            simulation.judge.steps(by: -20_000_000, at: back)
        }
        timeline.at(back + 100_000) { simulation.ask(1, subject) }
        timeline.at(back + 11_000_000) { for _ in 0..<1_000 { simulation.ask(1, subject) } }
        timeline.at(back + 11_500_000) { for _ in 0..<100 { simulation.ask(0, subject) } }
        return simulation.run()
    }

    /// Runs a schedule in which a request uses more than it reserved while the server is down. Meanwhile so many other
    /// callers come that some must be dropped. Returns the units in the record at the end.
    package static func owedInCrowd(callers: Int = 200) -> Int? {
        let quota = Quota(1_000, .tokens, per: .minute)
        let (bytes, start) = (200_000, 1_800_000_000_000_000 + 1_000_000)
        let simulation = Simulation(
            [quota],
            detours: [0, 0],
            plant: nil,
            seconds: 20,
            accountBytes: bytes,
            trace: nil
        )
        let limit = simulation.limit(quota)
        let subject = simulation.judge.add(limit, simulation.identity(0), isExclusive: false)
        let others = (1...callers).map { simulation.judge.add(limit, simulation.identity($0), isExclusive: false) }
        let (timeline, server) = (simulation.timeline, simulation.servers[0])
        var reservation: (Judge.Ask, Decision)?
        // As many callers as fit, each of which has used more.
        for number in 0..<45 { timeline.at(start + number * 1_000) { simulation.ask(0, others[number], 700) } }
        timeline.at(start + 500_000) { simulation.ask(0, subject, 10) { reservation = ($0, $1) } }
        timeline.at(start + 1_000_000) { server.hangsUntil = start + 5_000_000 }
        timeline.at(start + 2_000_000) { simulation.ask(0, others[44], 1) }
        timeline.at(start + 3_000_000) {
            if let (ask, decision) = reservation { simulation.instance(0).settle(ask, decision, Amounts(tokens: 600)) }
        }
        for (number, other) in others.dropFirst(45).enumerated() {
            timeline.at(start + 3_100_000 + number * 1_000) { simulation.ask(0, other, 700) }
        }
        _ = simulation.run()
        guard let value = server.value(subject.storeKey) else { return nil }
        return (try? Record(value, limit.layout))?.total
    }
}

import Support

@testable import Limits

/// Schedules made for one fault each. The seed decides the details.
package enum Drill: CaseIterable, Sendable {
    /// Some clocks are twenty seconds or more ahead or behind, others are right.
    case clocksApart
    /// The store responds to every call, but never within a bucket.
    case slowAnswers
    /// The store's clock falls behind, and an instance starts that believes it.
    case storeBehind
    /// Sixteen instances lose the store before anything was used.
    case sharedOut
    /// Two instances know each other, and a third one joins just before all lose the store.
    case thirdJoins
    /// Clocks are set forward by ten seconds or more under load.
    case steps
    /// An operator resets a limit that is used up, twice.
    case resets
    /// The number of a limit that is used up changes a hundred times in ten minutes, at one instance after the other.
    case numbers
}

extension Simulation {
    package static func drill(
        _ drill: Drill,
        seed: Int,
        plant: Plant? = nil,
        trace: ((String) -> Void)? = nil
    ) -> Report {
        var dice = Seeded(UInt64(bitPattern: Int64(seed)))
        _ = dice.next()
        let start = 1_800_000_000_000_000 + dice.below(60_000_000)
        let scenario: Scenario =
            switch drill {
            case .clocksApart: .clocksApart(start, &dice)
            case .slowAnswers: .slowAnswers(start, &dice)
            case .storeBehind: .storeBehind(start, &dice)
            case .sharedOut: .sharedOut(start, &dice)
            case .thirdJoins: .thirdJoins(start, &dice)
            case .steps: .steps(start, &dice)
            case .resets: .resets(start, &dice)
            case .numbers: .numbers(start, &dice)
            }
        let simulation = Simulation(scenario, seed: seed, plant: plant, dice, trace: trace)
        let quota = scenario.quotas[0]
        let subject = simulation.judge.add(simulation.limit(quota), simulation.identity(0), isExclusive: false)
        // A limit is reset at an instance that nobody asks.
        for index in (drill == .resets ? 1 : 0)..<scenario.instances {
            // Drills in which instances divide what is left begin without any earlier use.
            let first = drill == .sharedOut || drill == .thirdJoins ? start + 12_000_000 + dice.below(100_000) : nil
            // Nor does anybody wait for the time of which a refusal speaks, as a reset frees the limit earlier.
            simulation.start(
                [subject],
                drill == .resets ? .bursty(most: 4) : .greedy(batch: max(2, quota.count / 3)),
                home: index,
                units: [1...1],
                think: drill == .resets ? 30_000...150_000 : 1...10_000,
                at: first
            )
        }
        // A caller that does not wait as long as a dead instance said.
        for incident in scenario.incidents {
            guard case .replace(let index, let delay) = incident.what else { continue }
            let time = incident.time + delay + 1_000_000
            simulation.start([subject], .greedy(batch: 20), home: index, units: [1...1], think: 1...10_000, at: time)
        }
        return simulation.run()
    }
}

extension Scenario {
    private static func drill(
        _ kind: Kind,
        _ quota: Quota,
        from start: Int,
        seconds: Int,
        instances: Int,
        offsets: [Int] = [],
        startDelays: [Int] = [],
        slotMicroseconds: Int = 5_000_000,
        incidents: [Incident] = []
    ) -> Scenario {
        Scenario(
            kind: kind,
            timeoutMicroseconds: 250_000,
            instances: instances,
            slotMicroseconds: slotMicroseconds,
            weather: Network.Weather(delay: 20...1_000),
            detours: [Int](repeating: 0, count: instances),
            quotas: [quota],
            start: start,
            loadEnd: start + seconds * 1_000_000,
            incidents: incidents,
            asksBound: 5_000,
            offsets: offsets,
            startDelays: startDelays
        )
    }

    fileprivate static func clocksApart(_ start: Int, _ dice: inout Seeded) -> Scenario {
        let far = dice.pick([20_000_000, 40_000_000, 3_600_000_000])
        return drill(
            .apart,
            Quota(60, .images, per: .second, times: 12),
            from: start,
            seconds: 20,
            instances: 4,
            offsets: [far, -far, 0, 0]
        )
    }

    fileprivate static func slowAnswers(_ start: Int, _ dice: inout Seeded) -> Scenario {
        var scenario = drill(
            .late,
            Quota(60, .images, per: .second, times: 6),
            from: start,
            seconds: 15,
            instances: 4
        )
        scenario.weather.slowAnswers = 1_000
        scenario.weather.slowness = dice.pick([80_000...120_000, 100_000...240_000])
        return scenario
    }

    fileprivate static func storeBehind(_ start: Int, _ dice: inout Seeded) -> Scenario {
        let lasting = 90_000_000 + dice.below(20_000_000)
        let back = start + 5_000_000 + lasting
        return drill(
            .asleep,
            Quota(60, .images, per: .minute),
            from: start,
            seconds: 200 + lasting / 1_000_000,
            instances: 1,
            incidents: [
                Incident(time: start + 5_000_000, what: .storeSleep(server: 0, lasting: lasting)),
                // Late enough for the dead instance's entry among the living to have ended.
                Incident(
                    time: back + 30_000_000 + dice.below(60_000_000),
                    what: .replace(instance: 0, after: 7_000_000)
                ),
            ]
        )
    }

    fileprivate static func sharedOut(_ start: Int, _ dice: inout Seeded) -> Scenario {
        drill(
            .shared,
            Quota(dice.pick([20, 25, 60]), .images, per: .minute),
            from: start,
            seconds: 30,
            instances: 16,
            incidents: [Incident(time: start + 11_000_000, what: .hang(server: 0, lasting: 10_000_000))]
        )
    }

    fileprivate static func thirdJoins(_ start: Int, _ dice: inout Seeded) -> Scenario {
        drill(
            .shared,
            Quota(dice.pick([20, 90, 120]), .images, per: .minute),
            from: start,
            seconds: 30,
            instances: 3,
            startDelays: [0, 0, 11_000_000 - dice.below(1_000_000)],
            slotMicroseconds: 30_000_000,
            incidents: [Incident(time: start + 11_000_000, what: .hang(server: 0, lasting: 10_000_000))]
        )
    }

    fileprivate static func resets(_ start: Int, _ dice: inout Seeded) -> Scenario {
        let instances = 2 + dice.below(3)
        let unit: Quota.Unit = dice.pick([.images, .requests, .tokens])
        func reset(_ second: Int, _ dice: inout Seeded) -> Incident {
            let delays = (1..<instances).map { _ in dice.below(10_000_000) }
            let time = start + second * 1_000_000 + dice.below(1_000_000)
            return Incident(time: time, what: .reset(subject: 0, heardAfter: delays))
        }
        return drill(
            .saturated,
            Quota(dice.pick([20, 60, 100]), unit, per: .minute),
            from: start,
            seconds: 45,
            instances: instances,
            incidents: [reset(10, &dice), reset(28, &dice)]
        )
    }

    /// Returns a schedule in which the greatest number in force is that of the limit. Every fifth change replaces the
    /// instance, too.
    fileprivate static func numbers(_ start: Int, _ dice: inout Seeded) -> Scenario {
        var incidents: [Incident] = []
        for change in 0..<100 {
            let (time, instance) = (start + 6_000_000 * (change + 1), change % 2)
            if change % 5 == 4 { incidents.append(Incident(time: time, what: .replace(instance: instance, after: 0))) }
            let count = change % 4 < 2 ? 100 : 120
            incidents.append(Incident(time: time + 1_000, what: .renumber(instance: instance, count: count)))
        }
        return drill(
            .staggered,
            Quota(120, dice.pick([.requests, .images, .tokens]), per: .minute),
            from: start,
            seconds: 610,
            instances: 2,
            incidents: incidents
        )
    }

    fileprivate static func steps(_ start: Int, _ dice: inout Seeded) -> Scenario {
        let areAll = dice.below(2) == 0
        let far = dice.pick([10_000_000, 60_000_000, 3_600_000_000])
        let time = start + 5_000_000 + dice.below(3_000_000)
        return drill(
            .stepped,
            Quota(60, .images, per: .second, times: 12),
            from: start,
            seconds: 40,
            instances: 2,
            incidents: [
                Incident(time: time, what: .set(instance: areAll ? nil : 0, offset: far)),
                Incident(time: time + 8_000_000, what: .set(instance: areAll ? nil : 0, offset: 0)),
            ]
        )
    }
}

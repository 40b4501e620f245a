import Support

@testable import Limits

/// Clients at many instances that wait for their turns in one limit, of which they always want more: each sends its next
/// request when it has got its turn.
package struct WaitingCrowd: Sendable {
    private struct Turn {
        let askedAt: Int
        let time: Int
    }

    package let bound: Int
    package let windows: Int
    /// The number of admitted requests in all windows but the first.
    package let admitted: Int
    /// The most admitted requests in an interval of the window's length.
    package let fullest: Int
    package let refused: Int
    /// The number of turns that limits could not keep.
    package let moved: Int
    /// The number of requests that were served more than a bucket after a request that came two round trips or more later.
    package let passed: Int
    package let breaches: [Breach]

    /// - Parameters:
    ///   - bound: the requests a minute.
    ///   - isSlow: whether every third response of the store is late, by up to some buckets.
    ///   - countsTokens: whether each request has a limit of tokens, too, at another server of the store. Requests use a
    ///     half of what they reserve there, and one client in ten leaves.
    package init(
        seed: Int,
        instances: Int = 16,
        bound: Int = 40,
        windows: Int = 20,
        isSlow: Bool = false,
        countsTokens: Bool = false,
        plant: Plant? = nil,
        trace: ((String) -> Void)? = nil
    ) {
        (self.bound, self.windows) = (bound, windows)
        let quota = Quota(bound, .requests, per: .minute)
        let window = 60_000_000
        var dice = Seeded(UInt64(bitPattern: Int64(seed)))
        _ = dice.next()
        let start = 1_800_000_000_000_000 + dice.below(60_000_000)
        let end = start + (1 + windows) * window
        let tokens = Quota(bound * 100, .tokens, per: .minute)
        let quotas = countsTokens ? [quota, tokens] : [quota]
        let scenario = Scenario.waitingCrowd(instances, quotas, start...end, isSlow: isSlow)
        let simulation = Simulation(scenario, seed: seed, plant: plant, dice, trace: trace)
        let subjects = quotas.map {
            simulation.judge.add(simulation.limit($0), .knownKey(named: "A"), isExclusive: false)
        }
        var turns: [Turn] = []
        var refused = 0
        var waiting: [Int: Judge.Ask] = [:]
        func send(_ client: Int) {
            guard simulation.isLoading else { return }
            let (instance, asked) = (simulation.instance(client % instances), simulation.timeline.now)
            let patience = windows * window
            let parts = subjects.map { (subject: $0, units: $0.number == 0 ? 1 : 1 + dice.below(200)) }
            let ask = Judge.Ask(instance.number, parts, patience: patience)
            waiting[client] = ask
            if countsTokens, dice.below(10) == 0 {
                simulation.timeline.at(asked + dice.below(patience)) { instance.leave(ask) }
            }
            instance.ask(ask) { decision in
                if decision.isAdmitted, let reserved = decision.held.first {
                    simulation.timeline.at(simulation.timeline.now + dice.below(2_000_000)) {
                        instance.settle(ask, decision, Amounts(tokens: reserved.units / 2))
                    }
                }
                let now = simulation.timeline.now
                waiting[client] = nil
                if now >= end { return }
                if decision.isAdmitted {
                    turns.append(Turn(askedAt: asked, time: now))
                } else if !ask.hasLeft {
                    refused += 1
                }
                simulation.timeline.at(now + 1_000) { send(client) }
            }
        }
        for client in 0..<(countsTokens ? 3 : 5) * bound {
            simulation.timeline.at(start + 1_000_000 + dice.below(window)) { send(client) }
        }
        simulation.timeline.at(end) {
            for (client, ask) in waiting { simulation.instance(client % instances).leave(ask) }
        }
        breaches = simulation.run().breaches
        self.refused = refused
        moved = (0..<instances).reduce(0) { $0 + simulation.instance($1).ledger.metrics.turns(.moved) }
        admitted = turns.count { $0.time >= end - windows * window }
        let times = turns.map(\.time).sorted()
        var first = 0
        fullest = times.indices.reduce(0) { most, last in
            while times[first] <= times[last] - window { first += 1 }
            return max(most, last - first + 1)
        }
        passed = Self.passed(turns, bucket: window / subjects[0].limit.layout.perWindow)
    }

    /// Returns the number of requests that were served more than a bucket after one that came two round trips later or
    /// more.
    private static func passed(_ turns: [Turn], bucket: Int) -> Int {
        let turns = turns.sorted { $0.askedAt < $1.askedAt }
        // The earliest turn among the requests from each one on.
        var earliest = turns.map(\.time) + [Int.max]
        for index in turns.indices.reversed() { earliest[index] = min(earliest[index], earliest[index + 1]) }
        var later = 0
        return turns.count { turn in
            while later < turns.count, turns[later].askedAt < turn.askedAt + twoRoundTrips { later += 1 }
            return earliest[later] < turn.time - bucket
        }
    }

    /// The longest time of two calls to the store, in microseconds.
    private static let twoRoundTrips = 2_000

    package var text: String {
        """
        \(admitted) of \(windows * bound) admitted in \(windows) windows, \(fullest) of \(bound) in the fullest interval, \
        \(refused) refused, \(moved) moved, \(passed) passed by a later one, \(breaches.count) breaches
        """
    }
}

extension Scenario {
    fileprivate static func waitingCrowd(
        _ instances: Int,
        _ quotas: [Quota],
        _ time: ClosedRange<Int>,
        isSlow: Bool
    ) -> Scenario {
        var weather = Network.Weather(delay: 50...500)
        if isSlow {
            weather.slowAnswers = 333
            weather.slowness = 50_000...400_000
        }
        return Scenario(
            kind: .saturated,
            ring: SimulatedRing(servers: quotas.count > 1 ? ["one", "two"] : ["one"]),
            timeoutMicroseconds: 1_000_000,
            instances: instances,
            slotMicroseconds: 30_000_000,
            weather: weather,
            detours: [Int](repeating: 0, count: instances),
            quotas: quotas,
            start: time.lowerBound,
            loadEnd: time.upperBound
        )
    }
}

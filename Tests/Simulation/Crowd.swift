import Support

@testable import Limits

/// Many clients that send requests to all instances while every response of the store is late. It measures how long
/// decisions take, and who is refused. The callers are those of `Benchmarks/parts/clocks`, in virtual time.
package struct Crowd: Sendable {
    /// A caller's limit, and the results of its requests.
    package struct Row: Sendable {
        package let isGreedy: Bool
        let quota: Quota
        package var bound: Int { quota.count }
        package var window: Int { quota.windowSeconds }
        package fileprivate(set) var admitted = 0
        package fileprivate(set) var refused = 0
        /// The durations of all decisions, in microseconds.
        package fileprivate(set) var times: [Int] = []

        package var name: String { "\(isGreedy ? "greedy" : "modest") \(bound)" }

        /// Returns a quantile of the durations of decisions that waited for the store.
        package func quantile(_ part: Double) -> Int {
            let waited = times.filter { $0 > 0 }.sorted()
            return waited.isEmpty ? 0 : waited[min(waited.count - 1, Int(part * Double(waited.count)))]
        }

        package mutating func add(_ other: Row) {
            admitted += other.admitted
            refused += other.refused
            times += other.times
        }
    }

    package fileprivate(set) var rows: [Row]
    package fileprivate(set) var writes = 0
    package fileprivate(set) var lostRaces = 0
    package fileprivate(set) var reads = 0
    /// The number of requests that were refused because they were not counted in time.
    package fileprivate(set) var expired = 0
    package fileprivate(set) var late = 0
    package fileprivate(set) var breaches: [Breach] = []

    package let seconds: Int

    /// The delays of the store's responses, and the limits of the callers.
    package enum Manner: String, CaseIterable, Sendable {
        /// Each response is up to 120 ms late.
        case usual
        /// One response in ten is 200 ms late, under short windows.
        case tenth
        /// Each response is 30 to 70 ms late, and one in ten 200 to 450 ms, under short windows.
        case crowded
        /// Each response is 60 to 75 ms late, under short windows.
        case even
    }

    package init(seed: Int, instances: Int = 4, seconds: Int = 48, _ manner: Manner = .usual, plant: Plant? = nil) {
        self.seconds = seconds
        let quotas = manner.quotas
        rows = quotas.flatMap { [Row(isGreedy: true, quota: $0), Row(isGreedy: false, quota: $0)] }
        var dice = Seeded(UInt64(bitPattern: Int64(seed)))
        _ = dice.next()
        let start = 1_800_000_000_000_000 + dice.below(60_000_000)
        let scenario = Scenario.crowd(manner, instances, from: start, seconds: seconds)
        let simulation = Simulation(scenario, seed: seed, plant: plant, dice)
        let crowd = Clients(simulation, rows)
        crowd.start()
        breaches = simulation.run().breaches
        rows = crowd.rows
        for index in 0..<instances {
            let metrics = simulation.instance(index).ledger.metrics
            writes += metrics.writes
            lostRaces += metrics.lostRaces
            reads += metrics.reads
            expired += metrics.expired
            late += metrics.late
        }
    }
}

extension Crowd {
    /// Adds the results of another run.
    package mutating func add(_ other: Crowd) {
        for index in rows.indices { rows[index].add(other.rows[index]) }
        writes += other.writes
        lostRaces += other.lostRaces
        reads += other.reads
        expired += other.expired
        late += other.late
        breaches += other.breaches
    }

    package var text: String {
        let lines = rows.map { row in
            let times = [0.5, 0.9, 0.99, 0.999, 1].map { "\(row.quantile($0) / 1_000)" }.joined(separator: "/")
            return "\(row.name): \(row.admitted) admitted, \(row.refused) refused, waited \(times) ms"
        }
        let last =
            "\(writes) writes, \(lostRaces) lost, \(reads) reads, \(expired) expired, \(late) late, "
            + "\(breaches.count) breaches"
        return (lines + [last]).joined(separator: "\n")
    }
}

/// The clients of all callers.
private final class Clients {
    private let simulation: Simulation
    private let subjects: [Subject]
    var rows: [Crowd.Row]
    private var instances: Int { simulation.scenario.instances }
    private var begun: Int { simulation.scenario.start + 1_000_000 }

    init(_ simulation: Simulation, _ rows: [Crowd.Row]) {
        self.simulation = simulation
        self.rows = rows
        // The same names as in the benchmark lead to the same lanes.
        subjects = rows.map { row in
            simulation.judge.add(
                simulation.limit(row.quota, .key(.chat)),
                .knownKey(named: "\(row.isGreedy ? "GREEDY" : "MODEST")\(row.bound)"),
                isExclusive: false
            )
        }
    }

    func start() {
        for (number, row) in rows.enumerated() {
            let isLarge = row.quota.count >= 100
            let clients = row.isGreedy ? isLarge ? 96 : 16 : isLarge ? 16 : 4
            for client in 0..<max(instances, clients) {
                if row.isGreedy {
                    let pause = isLarge ? 50_000 : 10_000
                    simulation.timeline.at(begun) { self.keepAsking(number, client % self.instances, pause) }
                } else {
                    let every = row.quota.windowSeconds * 1_000_000 * 10 / (4 * row.quota.count) * clients
                    askEvery(every, begun + every * client / clients, number, client % instances)
                }
            }
        }
    }

    private func ask(_ number: Int, _ index: Int, _ then: @escaping (Decision) -> Void) {
        let (instance, asked) = (simulation.instance(index), simulation.timeline.now)
        let ask = Judge.Ask(instance.number, [(subject: subjects[number], units: 1)])
        instance.ask(ask) { decision in
            self.rows[number].times.append(self.simulation.timeline.now - asked)
            if decision.isAdmitted { self.rows[number].admitted += 1 } else { self.rows[number].refused += 1 }
            then(decision)
        }
    }

    /// Sends requests one after another, with a pause after a refusal.
    private func keepAsking(_ number: Int, _ index: Int, _ pause: Int) {
        guard simulation.isLoading else { return }
        ask(number, index) { decision in
            let next = self.simulation.timeline.now + (decision.isAdmitted ? 500 : pause)
            self.simulation.timeline.at(next) { self.keepAsking(number, index, pause) }
        }
    }

    /// Sends a request at each multiple of `every`. Times that pass while a request waits are skipped.
    private func askEvery(_ every: Int, _ due: Int, _ number: Int, _ index: Int) {
        simulation.timeline.at(due) {
            guard self.simulation.isLoading else { return }
            self.ask(number, index) { _ in
                let passed = max(0, self.simulation.timeline.now - due)
                self.askEvery(every, due + every * max(1, (passed + every - 1) / every), number, index)
            }
        }
    }
}

extension Crowd.Manner {
    fileprivate var quotas: [Quota] {
        switch self {
        case .usual: [Quota(60, .requests, per: .second, times: 12), Quota(1_000, .requests, per: .second, times: 6)]
        case .tenth, .crowded, .even:
            [Quota(60, .requests, per: .second, times: 6), Quota(100, .requests, per: .second)]
        }
    }

    fileprivate var weather: Network.Weather {
        var weather = Network.Weather(delay: 20...100)
        weather.slowAnswers = 1_000
        switch self {
        case .usual: weather.slowness = 0...120_000
        case .tenth:
            weather.slowAnswers = 100
            weather.slowness = 200_000...205_000
        case .crowded:
            weather.slowness = 30_000...70_000
            weather.slowestAnswers = 100
            weather.slowestness = 200_000...450_000
        case .even: weather.slowness = 60_000...75_000
        }
        return weather
    }
}

extension Scenario {
    fileprivate static func crowd(_ manner: Crowd.Manner, _ instances: Int, from start: Int, seconds: Int) -> Scenario {
        Scenario(
            kind: .late,
            timeoutMicroseconds: manner == .usual ? 250_000 : 500_000,
            instances: instances,
            slotMicroseconds: 30_000_000,
            weather: manner.weather,
            detours: [Int](repeating: 0, count: instances),
            quotas: manner.quotas,
            start: start,
            loadEnd: start + (1 + seconds) * 1_000_000
        )
    }
}

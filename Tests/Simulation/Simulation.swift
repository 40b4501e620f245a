import Support

@testable import Limits

/// One run of real ledgers in virtual time, which follows from one seed.
package final class Simulation {
    let scenario: Scenario
    let plant: Plant?
    let timeline: Timeline
    let network: Network
    let servers: [SimulatedServer]
    let judge: Judge
    let seed: Int
    var dice: Seeded
    /// The running instances by index. An instance that dies is replaced.
    private var instances: [SimulatedInstance] = []
    private var instanceCount = 0
    var callers: [Caller] = []
    private var asks = 0
    var mayLoseAsks = false
    var ring: SimulatedRing { scenario.ring }

    /// - Parameter size: the factor for the number of requests, compared with the ordinary tests.
    package convenience init(seed: Int, size: Int = 1, plant: Plant? = nil, trace: ((String) -> Void)? = nil) {
        var dice = Seeded(UInt64(bitPattern: Int64(seed)))
        _ = dice.next()
        let scenario = Scenario(seed: seed, size: size, &dice)
        self.init(scenario, seed: seed, plant: plant, dice, trace: trace)
        prepare()
    }

    /// Creates a run without callers.
    init(_ scenario: Scenario, seed: Int, plant: Plant?, _ dice: Seeded, trace: ((String) -> Void)? = nil) {
        var dice = dice
        self.seed = seed
        self.plant = plant
        self.scenario = scenario
        let timeline = Timeline(at: scenario.start)
        self.timeline = timeline
        network = Network(
            timeline,
            scenario.weather,
            timeoutMicroseconds: scenario.timeoutMicroseconds,
            Seeded(dice.next())
        )
        servers = scenario.ring.servers.map { _ in
            SimulatedServer(timeline, aheadMicroseconds: -dice.below(500_000), plant: plant)
        }
        judge = Judge(scenario)
        judge.trace = trace
        self.dice = dice
        trace?("\(scenario)")
        for index in 0..<scenario.instances { instances.append(instance(at: index)) }
    }

    private func instance(at index: Int, after delay: Int = 0) -> SimulatedInstance {
        let spread = scenario.spread
        var ahead = [dice.below(spread + 1), dice.below(spread + 1)]
        if scenario.kind == .fastAndIdle || dice.below(3) == 0 {
            ahead = index % 2 == 0 ? [0, 0] : [spread, spread]
        }
        // Clocks that drift by half a slot's time within a run would drift more than any real clock does.
        if scenario.kind == .slots { ahead[1] = ahead[0] }
        let clock = MachineClock(
            start: timeline.now,
            end: scenario.loadEnd,
            aheadAtStart: ahead[0],
            aheadAtEnd: ahead[1],
            steadyAtStart: 1_000_000 + dice.below(1_000_000_000),
            offset: index < scenario.offsets.count ? scenario.offsets[index] : 0
        )
        let startsAt = max(timeline.now + delay, start(of: index))
        judge.add(clock, startedAt: startsAt)
        network.detours[instanceCount] = scenario.detours[index]
        instanceCount += 1
        let instance = SimulatedInstance(instanceCount - 1, clock, self, Seeded(dice.next()))
        if startsAt > timeline.now { instance.pause(until: startsAt) }
        return instance
    }

    /// Returns when the first instance at an index starts.
    func start(of index: Int) -> Int {
        scenario.start + (index < scenario.startDelays.count ? scenario.startDelays[index] : 0)
    }

    /// The number of instances that have started.
    var started: Int { max(1, (0..<scenario.instances).filter { start(of: $0) <= timeline.now }.count) }

    func instance(_ index: Int) -> SimulatedInstance { instances[index] }

    var isLoading: Bool { timeline.now < scenario.loadEnd && asks < scenario.asksBound }

    /// Counts a request. Returns false if there have been enough.
    func takesAsk() -> Bool {
        asks += 1
        if asks == scenario.asksBound { end(at: timeline.now) }
        return asks < scenario.asksBound
    }

    package func run() -> Report {
        for incident in scenario.incidents { timeline.at(incident.time) { self.happens(incident.what) } }
        end(at: scenario.loadEnd)
        timeline.run()
        for instance in instances { instance.recordOpenCalls() }
        judge.endedAt = timeline.now
        judge.conclude(servers)
        return Report(
            seed: seed,
            kind: scenario.kind.rawValue,
            decisions: judge.decisions,
            admitted: judge.admitted,
            waited: judge.waited,
            calls: network.calls,
            utilisation: judge.utilisation,
            excess: judge.excess,
            breaches: judge.breaches
        )
    }

    /// Ends the requests at `time`, and the run soon after.
    private func end(at time: Int) {
        judge.loadEnd = time
        timeline.end = time + scenario.longestHoldMicroseconds + scenario.quietMicroseconds
        // Losses are noticed by then.
        if !scenario.isCalm { timeline.end += 2 * scenario.timeoutMicroseconds }
        timeline.end += scenario.longestPatience
    }

    private func happens(_ what: Scenario.Incident.What) {
        judge.trace?("\(timeline.now) \(what)")
        let now = timeline.now
        switch what {
        case .flush(let server):
            servers[server].flush()
            judge.loses(server: server, at: now)
        case .evict(let number):
            let subject = judge.subjects[number % judge.subjects.count]
            servers[ring.server(of: subject.storeKey)].evict(subject.storeKey)
            judge.loses(subject, at: now)
        case .restart(let server, let lasting):
            servers[server].stop()
            judge.loses(server: server, at: now)
            timeline.at(now + lasting) { self.servers[server].isUp = true }
        case .hang(let server, let lasting):
            servers[server].hangsUntil = now + lasting
            judge.hangBegan = now
        case .refuseWrites(let server, let lasting): servers[server].refusesUntil = now + lasting
        case .cut(let instance, let server, let lasting):
            network.cut(instance: instances[instance].number, server: server, until: now + lasting)
        case .pause(let instance, let lasting): stop(instance, lasting, isStarved: false)
        case .starve(let instance, let lasting): stop(instance, lasting, isStarved: true)
        case .sleep(let instance, let lasting):
            judge.stops(instance: instances[instance].number, at: now, until: now + lasting)
            instances[instance].sleep(lasting)
        case .storeSleep(let server, let lasting):
            judge.steps(by: -lasting, at: now)
            servers[server].sleep(lasting)
        case .set(let instance, let offset):
            for instance in instance.map({ [instances[$0]] }) ?? instances {
                judge.steps(by: offset - instance.clock.offset(at: now), at: now)
                instance.clock.set(offset: offset, at: now)
            }
        case .reset(let number, let delays):
            let subject = judge.subjects[number]
            let server = servers[ring.server(of: subject.storeKey)]
            server.reset(subject.storeKey, of: subject.limit, at: instances[0].clock.wall(at: now))
            instances[0].forget(subject, isHere: true)
            for (index, delay) in zip(1..., delays) where index < instances.count {
                timeline.at(now + delay) { self.instances[index].forget(subject) }
            }
            judge.resets(subject, at: now, heardBy: now + (delays.max() ?? 0))
        case .renumber(let index, let count): instances[index].count = count
        case .replace(let index, let delay):
            mayLoseAsks = true
            judge.dies(instance: instances[index].number, at: now)
            instances[index].die()
            instances[index] = instance(at: index, after: delay)
        }
    }

    private func stop(_ index: Int, _ lasting: Int, isStarved: Bool) {
        judge.stops(instance: instances[index].number, at: timeline.now, until: timeline.now + lasting)
        instances[index].pause(until: timeline.now + lasting, isStarved: isStarved)
    }
}

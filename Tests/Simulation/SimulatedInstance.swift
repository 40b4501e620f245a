import Support

@testable import Shared

/// One relay's limiter: the real ledger, with lanes driven as its threads do, on virtual time.
final class SimulatedInstance {
    private struct Lane {
        var connection: SimulatedConnection?
        var isBusy = false
        /// Woken while it was busy, or told to look and not there yet.
        var isWoken = false
        /// Counts waits, so that a timer ends its own one only.
        var wait = 0
    }

    let number: Int
    let clock: MachineClock
    private(set) var ledger: Ledger
    private var lanes: [Lane]
    private let timeline: Timeline
    private let network: Network
    private let servers: [SimulatedServer]
    private let judge: Judge
    private let plant: Plant?
    private let timeoutMicroseconds: Int
    private let lateness: Int
    private var dice: Seeded
    private var pausedUntil = 0
    private(set) var isDead = false
    private var lastConnection: UInt64 = 0

    init(_ number: Int, _ clock: MachineClock, _ simulation: Simulation, _ dice: Seeded) {
        var dice = dice
        self.number = number
        self.clock = clock
        timeline = simulation.timeline
        network = simulation.network
        servers = simulation.servers
        judge = simulation.judge
        plant = simulation.plant
        timeoutMicroseconds = simulation.scenario.timeoutMicroseconds
        var options = Ledger.Options()
        options.storeDown = simulation.scenario.rule
        options.instances = simulation.scenario.countedInstances
        options.timeoutMicroseconds = timeoutMicroseconds
        options.slotMicroseconds = simulation.scenario.slotMicroseconds
        options.lanesPerServer = servers.count == 1 ? 4 : 2
        ledger = Ledger(store: simulation.ring, options: options, random: Seeded(dice.next()))
        lateness = simulation.scenario.lateness
        lanes = ledger.lanes.map { _ in Lane() }
        self.dice = dice
        for lane in lanes.indices { wake(lane) }
    }

    var now: Moment { clock.moment(at: timeline.now) }

    /// Stops the world: what is due meanwhile happens late, in any order.
    func pause(until time: Int) { pausedUntil = max(pausedUntil, time) }

    func die() { isDead = true }

    /// Something that happens in this instance.
    func at(_ time: Int, _ body: @escaping () -> Void) {
        timeline.at(time) {
            if self.isDead { return }
            if self.timeline.now < self.pausedUntil {
                self.at(self.pausedUntil + self.dice.below(300), body)
            } else {
                body()
            }
        }
    }

    // MARK: Requests

    /// Asks now; `then` is called once, with the decision.
    func ask(_ ask: Judge.Ask, _ then: @escaping (Decision) -> Void) {
        let wants = ask.parts.map { Want($0.subject.limit, $0.subject.identity, units: $0.units) }
        judge.asks(ask, at: timeline.now, wall: clock.wall(at: timeline.now))
        let answer = ledger.ask(wants, at: now) {
            Waiter { decision in
                self.judge.decided(ask, decision, at: self.timeline.now)
                then(decision)
            }
        }
        switch answer {
        case .decided(let decision):
            judge.decided(ask, decision, at: timeline.now, isAtOnce: true, wakesLanes: !ledger.outbox.lanes.isEmpty)
            drain()
            then(decision)
        case .waits(let request):
            drain()
            expire(request, ask, at: request.due)
        }
    }

    /// The request's timer, due at a steady time.
    private func expire(_ request: Pending, _ ask: Judge.Ask, at due: Int) {
        at(clock.time(ofSteady: due) + dice.below(1_000)) {
            guard request.decision == nil else { return }
            let before = self.ledger.servers.map(\.isDown)
            let again = self.ledger.expire(request, at: self.now)
            for (place, wasDown) in before.enumerated() where self.ledger.servers[place].isDown && !wasDown {
                self.judge.fails(instance: self.number, server: place, at: self.timeline.now)
            }
            if let again {
                self.expire(request, ask, at: again)
            } else {
                self.judge.expires(ask, at: self.timeline.now)
            }
            self.drain()
            if again == nil, request.decision == nil {
                self.judge.breach("L6", "a request is not decided when its time is up")
            }
        }
    }

    /// Ends what a request holds; `used` nil: all of it was.
    func settle(_ ask: Judge.Ask, _ decision: Decision, _ used: Amounts?) {
        judge.settles(ask, used, at: timeline.now)
        if plant == .settleLost { return }
        ledger.settle(decision.held, used, at: now)
        drain()
    }

    /// Ends as a process does that is told to.
    func close() {
        ledger.close(at: now)
        drain()
        for lane in lanes.indices { wake(lane) }
    }

    // MARK: Lanes

    private func drain() {
        var outbox = Outbox()
        swap(&outbox, &ledger.outbox)
        for lane in outbox.lanes { wake(lane) }
        for request in outbox.decided {
            if let decision = request.decision { request.waiter.decided(decision) }
        }
    }

    private func wake(_ lane: Int) {
        if lanes[lane].isWoken { return }
        lanes[lane].isWoken = true
        if lanes[lane].isBusy { return }
        at(timeline.now + dice.below(60)) { self.run(lane) }
    }

    private func run(_ lane: Int, _ outcome: Result<StoreReply, StoreFailure>? = nil, since: Moment? = nil) {
        if outcome == nil, lanes[lane].isBusy { return }
        lanes[lane].wait += 1
        if let outcome {
            lanes[lane].isBusy = false
            ledger.take(outcome, lane, at: plant == .lateAnswer ? since ?? now : now)
        } else {
            lanes[lane].isWoken = false
        }
        while true {
            let step = ledger.step(lane, at: now)
            // A wake-up that comes while the lane is at work counts.
            lanes[lane].isBusy = true
            drain()
            switch step {
            case .stop: return
            case .call(let call): return perform(call, lane)
            case .wait(let until):
                if lanes[lane].isWoken {
                    lanes[lane].isWoken = false
                    continue
                }
                lanes[lane].isBusy = false
                guard let until else { return }
                let wait = lanes[lane].wait
                let time = max(timeline.now, clock.time(ofSteady: until))
                // Where windows are long, what is not urgent may be late: a month is simulated in fewer steps.
                let late = time - timeline.now >= 900_000 ? lateness : 0
                at(time + late + dice.below(60)) {
                    if self.lanes[lane].wait == wait { self.run(lane) }
                }
                return
            }
        }
    }

    private func perform(_ call: StoreCall, _ lane: Int) {
        let (place, since) = (ledger.lanes[lane].server, now)
        let server = servers[place]
        if case .connect = call {
            let began = timeline.now
            lanes[lane].connection = nil
            lastConnection += 1
            let connection = SimulatedConnection(server, id: lastConnection, plant: plant)
            let work = { () throws(StoreFailure) -> Int in
                try connection.time()
            }
            network.send(from: number, to: place, server, work) { (result: Result<Int, StoreFailure>, _) in
                self.at(self.timeline.now) {
                    if case .success = result {
                        self.lanes[lane].connection = connection
                        self.judge.connects(instance: self.number, server: place, began: began, at: self.timeline.now)
                    } else {
                        self.judge.fails(instance: self.number, server: place, at: self.timeline.now)
                    }
                    self.run(lane, result.map { .connected($0) }, since: since)
                }
            }
            return
        }
        guard let connection = lanes[lane].connection else {
            return run(lane, .failure(StoreFailure(reason: "no connection")), since: since)
        }
        let work = { () throws(StoreFailure) -> (StoreReply, [(key: String, isWritten: Bool)]) in
            let reply = try connection.perform(call)
            return (reply, connection.touched)
        }
        let isWrite = if case .write = call { true } else { false }
        network.send(from: number, to: place, server, isWrite: isWrite, work) { result, doneAt in
            self.at(self.timeline.now) { self.take(result, doneAt, call, lane, place, since) }
        }
    }

    private func take(
        _ result: Result<(StoreReply, [(key: String, isWritten: Bool)]), StoreFailure>,
        _ doneAt: Int,
        _ call: StoreCall,
        _ lane: Int,
        _ place: Int,
        _ since: Moment
    ) {
        switch result {
        case .success((let reply, let touched)):
            for (key, isWritten) in touched {
                judge.exchanges(instance: number, key: key, isWritten: isWritten, at: doneAt)
            }
            if case .wrote(.refused) = reply, case .write(let plan) = call {
                judge.isRefusedWrite(instance: number, key: plan.key, at: timeline.now)
            }
            run(lane, .success(reply), since: since)
        case .failure(let failure):
            if plant == .giveBackRepeated, case .write = call {
                return run(lane, .success(.wrote(.lost)), since: since)
            }
            lanes[lane].connection = nil
            judge.fails(instance: number, server: place, at: timeline.now)
            run(lane, .failure(failure), since: since)
        }
    }
}

/// `@unchecked`: one simulation runs on one thread.
private final class Waiter: DecisionWaiter, @unchecked Sendable {
    private let then: (Decision) -> Void

    init(_ then: @escaping (Decision) -> Void) { self.then = then }

    func decided(_ decision: Decision) { then(decision) }
}

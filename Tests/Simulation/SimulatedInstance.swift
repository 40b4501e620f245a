import Support

@testable import Limits

/// One relay's limiter: the real ledger, with lanes driven in virtual time as its threads drive them.
final class SimulatedInstance {
    private struct Lane {
        var connection: SimulatedConnection?
        var isBusy = false
        /// Whether the lane was woken while it was busy, or is about to run.
        var isWoken = false
        /// The number of waits, so that a timer ends only its own one.
        var wait = 0
        /// The time at which the call under way was sent; nil if there is none.
        var sentAt: Int?
    }

    /// The kinds of events that wait while a process cannot run.
    private enum Event {
        case any
        /// A timer, which runs before responses are read.
        case timer
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
    private var isStarved = false
    /// The clock readings in a thousand that are used late.
    private let staleReadings: Int
    private let stalls: [Int]
    private let startedAt: Int
    /// The offset of the clock that the ledger knows.
    private var followed: Int
    /// The time at which the clocks were read that the ledger uses now.
    private var readAt = 0
    private(set) var isDead = false
    private var asked = 0
    /// Whether the process accepts requests: the store's clock was read, or its response did not come in time.
    private var isOpen = false
    private var early: [() -> Void] = []
    /// The requests that may wait for their turn, until they are decided.
    private var patient: [(ask: Judge.Ask, request: Pending)] = []
    private var lastConnection: UInt64 = 0
    /// The number of all limits in this instance's settings; nil if each limit has its own.
    var count: Int?

    init(_ number: Int, _ clock: MachineClock, _ simulation: Simulation, _ dice: Seeded) {
        var dice = dice
        self.number = number
        self.clock = clock
        timeline = simulation.timeline
        startedAt = timeline.now
        followed = clock.offset(at: timeline.now)
        network = simulation.network
        servers = simulation.servers
        judge = simulation.judge
        plant = simulation.plant
        timeoutMicroseconds = simulation.scenario.timeoutMicroseconds
        var options = LimiterOptions()
        options.storeDown = simulation.scenario.rule
        options.instances = simulation.scenario.countedInstances
        options.timeoutMicroseconds = timeoutMicroseconds
        options.slotMicroseconds = simulation.scenario.slotMicroseconds
        options.bytes = simulation.scenario.accountBytes
        options.loops = servers.count == 1 ? 4 : 2
        ledger = Ledger(store: simulation.ring, options: options, random: Seeded(dice.next()))
        lateness = simulation.scenario.lateness
        staleReadings = simulation.scenario.staleReadings
        stalls = simulation.scenario.stalls
        lanes = ledger.lanes.map { _ in Lane() }
        self.dice = dice
        for lane in lanes.indices { wake(lane) }
        at(timeline.now) { self.at(self.timeline.now + self.timeoutMicroseconds) { self.open() } }
    }

    /// Stops the process: events that are due meanwhile happen late, in any order. A starved process runs timers first.
    func pause(until time: Int, isStarved: Bool = false) {
        if time <= pausedUntil { return }
        pausedUntil = time
        self.isStarved = isStarved
    }

    /// Puts the machine to sleep, and its steady clock with it.
    func sleep(_ microseconds: Int) {
        let end = timeline.now + microseconds
        pause(until: end)
        timeline.at(end) {
            self.clock.slept(microseconds, until: end)
            self.judge.steps(by: microseconds, at: end)
        }
    }

    func die() {
        isDead = true
        recordOpenCalls()
    }

    /// Reports calls without a response so far to the judge.
    func recordOpenCalls() {
        for lane in lanes.indices {
            guard let sentAt = lanes[lane].sentAt, timeline.now - sentAt > timeoutMicroseconds else { continue }
            judge.isSlow(instance: number, server: ledger.lanes[lane].server, sentAt: sentAt, at: timeline.now)
        }
    }

    /// Schedules an event of this instance.
    func at(_ time: Int, _ body: @escaping () -> Void) { at(time, .any, body) }

    private func at(_ time: Int, _ event: Event, _ body: @escaping () -> Void) {
        timeline.at(time) {
            if self.isDead { return }
            if self.timeline.now < self.pausedUntil {
                let isLast = self.isStarved && event == .any
                self.at(self.pausedUntil + self.dice.below(300) + (isLast ? 1_000 : 0), event, body)
            } else {
                body()
            }
        }
    }

    /// Reads the clocks and passes their times to `body`, now or only after the process was stopped for a while.
    private func read(_ body: @escaping (ClockReading) -> Void) {
        var reading = clock.reading(at: timeline.now)
        let time = timeline.now
        plantBeforeReading(reading)
        guard staleReadings > 0, dice.below(1_000) < staleReadings else {
            readAt = time
            return body(reading)
        }
        let stall = dice.pick(stalls)
        pausedUntil = max(pausedUntil, time + stall)
        isStarved = false
        judge.trace?("\(time) instance \(number) stops for \(stall) with the time in its hand")
        if dice.below(2) == 0 {
            // The stop happens between reading the wall clock and the steady one.
            reading.steady += stall
            judge.steps(by: -stall, at: time + stall)
        }
        judge.stops(instance: number, at: time, until: time + stall)
        timeline.at(time + stall) {
            if self.isDead { return }
            self.readAt = time
            body(reading)
        }
    }

    private func plantBeforeReading(_ reading: ClockReading) {
        plantTurns(reading)
        if plant == .roundedUp { ledger.rank = nil }
        if plant == .partTooLarge {
            ledger.shares.cap = nil
            ledger.shares.instances = ledger.instancesSeen
        }
        guard plant == .stepFollowed else { return }
        // One large step is divided into small ones.
        let offset = clock.offset(at: timeline.now)
        while followed != offset {
            followed += max(-2_900_000, min(2_900_000, offset - followed))
            _ = ledger.read(ClockReading(wall: reading.wall - offset + followed, steady: reading.steady))
        }
    }

    // MARK: Requests

    /// Sends a request now. `then` is called once, with the decision.
    func ask(_ ask: Judge.Ask, _ then: @escaping (Decision) -> Void) {
        if !isOpen { return early.append { self.ask(ask, then) } }
        read { self.ask(ask, at: $0, then) }
    }

    /// Accepts requests from now on.
    private func open() {
        if isOpen { return }
        isOpen = true
        for ask in early { at(timeline.now, ask) }
        early = []
    }

    private func ask(_ ask: Judge.Ask, at reading: ClockReading, _ then: @escaping (Decision) -> Void) {
        let charges = ask.parts.map { part in
            let (limit, bound) = (limit(of: part.subject), part.subject.bound)
            let wishesMore = ask.wishesMore && limit.quota.unit.isKnownLate && part.units > 0
            return LimitCharge(
                limit,
                part.subject.identity,
                units: part.units,
                upTo: wishesMore ? part.units + bound / 3 : nil
            )
        }
        judge.asks(ask, at: readAt, wall: clock.wall(at: readAt))
        asked += 1
        let patience = ask.patience > 0 ? LimitPatience(microseconds: ask.patience, caller: charges[0].identity) : nil
        let response = ledger.ask(charges, patience, from: asked % ledger.options.loops, at: reading) {
            Waiter { decision in
                self.judge.decided(ask, decision, at: self.readAt)
                then(decision)
            }
        }
        switch response {
        case .decided(let decision):
            judge.decided(ask, decision, at: readAt, isAtOnce: true, wakesLanes: !ledger.outbox.lanes.isEmpty)
            drain()
            then(decision)
        case .waits(let request):
            if patience != nil { patient.append((ask, request)) }
            drain()
            expireLater(request, at: request.due)
        }
    }

    /// The client of a request leaves.
    func leave(_ ask: Judge.Ask) {
        patient.removeAll { $0.request.decision != nil }
        guard let request = patient.first(where: { $0.ask === ask })?.request else { return }
        read { now in
            if request.decision != nil { return }
            ask.hasLeft = true
            self.ledger.leave(request, at: now)
            self.drain()
        }
    }

    private func plantTurns(_ reading: ClockReading) {
        guard plant == .turnUnchecked else { return }
        patient.removeAll { $0.request.decision != nil }
        let now = ledger.read(reading)
        for (_, request) in patient { keepTurns(request, now) }
    }

    /// Takes the turns of a request whose time has come for good, whatever their records say.
    private func keepTurns(_ request: Pending, _ now: ClockReading) {
        var count = 0
        for index in request.parts.indices {
            guard case .turn(let bucket) = request.parts[index].state else { continue }
            request.parts[index].state = .claimed(bucket)
            count += 1
        }
        request.unread -= count
        if count > 0, request.unread == 0 { ledger.begin(request, now) }
    }

    /// Returns the limit of a subject as this instance's settings have it.
    private func limit(of subject: Subject) -> Limit {
        guard let count else { return subject.limit }
        let (limit, quota) = (subject.limit, subject.limit.quota)
        return Limit(
            limit.kind,
            Quota(count, quota.unit, per: .second, times: quota.windowSeconds),
            layout: limit.layout,
            countsExpiredBuckets: limit.countsExpiredBuckets,
            id: plant == .numberInKey ? "\(limit.id).\(count)" : nil
        )
    }

    /// Starts the request's timer.
    private func expireLater(_ request: Pending, at steady: Int) {
        let time = clock.time(ofSteady: steady, at: timeline.now)
        at(max(timeline.now, time) + dice.below(1_000), .timer) {
            if request.decision != nil { return }
            // The machine may have slept meanwhile.
            if self.clock.steady(at: self.timeline.now) < steady { return self.expireLater(request, at: steady) }
            self.read { self.expire(request, at: $0) }
        }
    }

    private func expire(_ request: Pending, at reading: ClockReading) {
        guard request.decision == nil else { return }
        if plant == .timerDeaf {
            for index in request.open {
                let server = request.parts[index].account.server
                ledger.fail(server, epoch: ledger.servers[server].epoch, "planted", at: ledger.read(reading))
            }
        }
        let again = ledger.expire(request, at: reading)
        judge.trace?("\(readAt) instance \(number) request's timer \(again == nil ? "ends it" : "waits")")
        drain()
        if let again { return expireLater(request, at: again) }
        if request.decision == nil { judge.breach("L6", "a request is not decided when its time is up") }
    }

    /// Ends the reservations of a request. If `used` is nil, all units were used.
    func settle(_ ask: Judge.Ask, _ decision: Decision, _ used: Amounts?) {
        read {
            self.judge.settles(ask, used, at: self.readAt)
            if self.plant == .settleLost { return }
            self.ledger.settle(decision.held, used, at: $0)
            self.drain()
        }
    }

    /// Ends the process as an orderly shutdown does.
    func close() {
        readAt = timeline.now
        ledger.close(at: clock.reading(at: timeline.now))
        drain()
        for lane in lanes.indices { wake(lane) }
    }

    /// An operator has reset a limit, as this instance hears now, or at this instance.
    func forget(_ subject: Subject, isHere: Bool = false) {
        guard plant != .resetUnheard else { return }
        at(timeline.now) {
            self.readAt = self.timeline.now
            let now = self.clock.reading(at: self.timeline.now)
            let charge = LimitCharge(subject.limit, subject.identity)
            let found =
                isHere ? self.ledger.account(charge, self.ledger.read(now)) : self.ledger.account(of: charge, at: now)
            if let found { self.ledger.forget(found, at: now) }
            self.drain()
        }
    }

    // MARK: Lanes

    private func drain() {
        var outbox = Outbox()
        swap(&outbox, &ledger.outbox)
        for lane in outbox.lanes { wake(lane) }
        if outbox.isReady { open() }
        for event in outbox.events { judge.trace?("\(readAt) instance \(number) says \(event)") }
        for request in outbox.retimed {
            expireLater(request, at: clock.reading(at: timeline.now).steady)
        }
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

    private func run(_ lane: Int, _ outcome: Result<StoreResult, StoreFailure>? = nil, since: ClockReading? = nil) {
        if outcome == nil, lanes[lane].isBusy { return }
        lanes[lane].wait += 1
        if outcome == nil { lanes[lane].isWoken = false }
        lanes[lane].isBusy = true
        read { now in
            if let outcome {
                self.ledger.receive(outcome, lane: lane, at: self.plant == .lateAnswer ? since ?? now : now)
            }
            self.step(lane, now)
        }
    }

    private func step(_ lane: Int, _ now: ClockReading) {
        while true {
            let step = ledger.step(lane, at: now)
            drain()
            switch step {
            case .stop: return
            case .call(let call): return perform(call, lane, now)
            case .wait(let until):
                // A wake-up that comes while the lane is working counts.
                if lanes[lane].isWoken {
                    lanes[lane].isWoken = false
                    continue
                }
                lanes[lane].isBusy = false
                if let until { wait(lane, until: until) }
                return
            }
        }
    }

    private func wait(_ lane: Int, until steady: Int) {
        let wait = lanes[lane].wait
        let time = max(timeline.now, clock.time(ofSteady: steady, at: timeline.now))
        // Under long windows, events that are not urgent may be late, so that a month is simulated in fewer steps.
        let late = time - timeline.now >= 900_000 ? lateness : 0
        at(time + late + dice.below(60), .timer) {
            if self.lanes[lane].wait == wait { self.run(lane) }
        }
    }

    private func perform(_ call: StoreCall, _ lane: Int, _ since: ClockReading) {
        let serverIndex = ledger.lanes[lane].server
        let server = servers[serverIndex]
        let sentAt = timeline.now
        if case .connect = call {
            lanes[lane].sentAt = sentAt
            lanes[lane].connection = nil
            lastConnection += 1
            let connection = SimulatedConnection(server, id: lastConnection, plant: plant)
            let work = { () throws(StoreFailure) -> StoreState in
                try connection.status()
            }
            network.send(from: number, to: serverIndex, server, work) { (result: Result<StoreState, StoreFailure>, _) in
                self.isBack(lane, serverIndex, sentAt)
                self.at(self.timeline.now) {
                    if case .success = result {
                        self.lanes[lane].connection = connection
                        self.judge.answers(
                            instance: self.number,
                            server: serverIndex,
                            sentAt: sentAt,
                            at: self.timeline.now
                        )
                    } else {
                        self.judge.fails(
                            instance: self.number,
                            server: serverIndex,
                            sentAt: sentAt,
                            at: self.timeline.now
                        )
                    }
                    self.run(lane, result.map { .connected(self.planted($0)) }, since: since)
                }
            }
            return
        }
        guard let connection = lanes[lane].connection else {
            return run(lane, .failure(StoreFailure(reason: "no connection")), since: since)
        }
        lanes[lane].sentAt = sentAt
        let work = { () throws(StoreFailure) -> (StoreResult, [(key: String, isWritten: Bool)]) in
            connection.touched = []
            let result = try connection.perform(call)
            return (result, connection.touched)
        }
        let isWrite = if case .write = call { true } else { false }
        network.send(from: number, to: serverIndex, server, isWrite: isWrite, work) { result, doneAt in
            self.isBack(lane, serverIndex, sentAt)
            self.at(self.timeline.now) { self.receive(result, doneAt, call, lane, sentAt, since) }
        }
    }

    /// Handles the arrival of a call's result at the instance's machine.
    private func isBack(_ lane: Int, _ server: Int, _ sentAt: Int) {
        if isDead { return }
        lanes[lane].sentAt = nil
        guard timeline.now - sentAt > timeoutMicroseconds else { return }
        judge.isSlow(instance: number, server: server, sentAt: sentAt, at: timeline.now)
    }

    private func receive(
        _ result: Result<(StoreResult, [(key: String, isWritten: Bool)]), StoreFailure>,
        _ doneAt: Int,
        _ call: StoreCall,
        _ lane: Int,
        _ sentAt: Int,
        _ since: ClockReading
    ) {
        switch result {
        case .success((let result, let touched)):
            let serverIndex = ledger.lanes[lane].server
            judge.answers(instance: number, server: serverIndex, sentAt: sentAt, at: timeline.now)
            for (key, isWritten) in touched {
                judge.exchanges(
                    Subject.Exchange(
                        instance: number,
                        sentAt: sentAt,
                        time: doneAt,
                        heardAt: timeline.now,
                        isWritten: isWritten
                    ),
                    key: key
                )
            }
            if case .wrote(let results, _) = result, case .write(let plans, _) = call {
                for case (let plan, .refused) in zip(plans, results) {
                    judge.isRefusedWrite(instance: number, key: plan.key, at: timeline.now)
                }
            }
            run(lane, planted(result, to: call, since), since: since)
        case .failure(let failure):
            if plant == .giveBackRepeated, case .write(let plans, _) = call {
                return run(lane, .success(.wrote(plans.map { _ in .lost }, [])), since: since)
            }
            lanes[lane].connection = nil
            judge.fails(instance: number, server: ledger.lanes[lane].server, sentAt: sentAt, at: timeline.now)
            run(lane, .failure(failure), since: since)
        }
    }
}

/// Faults that are put in between the ledger and the store.
extension SimulatedInstance {
    private func planted(_ state: StoreState) -> StoreState {
        guard plant == .clockJudgedLate, timeline.now < startedAt + 10_000_000 else { return state }
        return StoreState(seconds: clock.wall(at: timeline.now) / 1_000_000, life: state.life)
    }

    private func planted(
        _ result: StoreResult,
        to call: StoreCall,
        _ since: ClockReading
    ) -> Result<StoreResult, StoreFailure> {
        let wall = clock.wall(at: timeline.now) - ledger.clock.correction
        switch (result, call) {
        case (.state(let state), _): return .success(.state(planted(state)))
        case (.found(let found), _) where plant == .aheadDropped:
            let storeTime = servers[0].seconds * 1_000_000 + 1_500_000
            return .success(
                .found(
                    found.map { found in
                        guard case .record(let record, let version, _) = found, record.isTooFarAhead(of: wall),
                            record.isTooFarAhead(of: storeTime)
                        else { return found }
                        return .broken(version, reason: "planted")
                    }
                )
            )
        case (.wrote(let results, _), .write(let plans, _)) where plant == .lateGivenUp:
            let isLate = zip(plans, results)
                .contains { plan, result in
                    guard result.isWritten, case .counts(let record) = plan.record else { return false }
                    return wall >= record.layout.end(of: plan.bucket.number)
                }
            if isLate { return .failure(StoreFailure(reason: "planted")) }
        default: break
        }
        return .success(result)
    }
}

/// A waiter that passes the decision to a closure.
///
/// `@unchecked`: one simulation runs on one thread.
private final class Waiter: DecisionWaiter, @unchecked Sendable {
    private let then: (Decision) -> Void

    init(_ then: @escaping (Decision) -> Void) { self.then = then }

    func decided(_ decision: Decision) { then(decision) }

    func retimed() {}
}

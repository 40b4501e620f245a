@testable import Limits

/// One relay's ledger, with lanes that do what the search tells them to. Calls for what is not searched (connections,
/// clocks, the instances that live) are answered at once.
final class ModelInstance {
    struct Flight {
        let call: StoreCall
        let since: Moment
        /// By a bit each: requests that the instance knew to be counted.
        let known: Int
        /// Once the store has done it.
        var reply: StoreReply?
        /// Requests that were counted in the record then.
        var seen = 0

        var isWrite: Bool { if case .write = call { true } else { false } }
    }

    struct Lane {
        var connection: UInt64 = 0
        var flight: Flight?
        /// Not looked at before (steady), unless woken.
        var wait: Int?
        var isWoken = true
    }

    let number: Int
    var ledger: Ledger
    var lanes: [Lane]
    var isDead = false
    private unowned let world: World
    private let aheadMicroseconds: Int

    init(_ number: Int, _ world: World) {
        self.number = number
        self.world = world
        let setting = world.setting
        aheadMicroseconds = setting.clocks[number]
        var options = Ledger.Options()
        options.storeDown = setting.rule
        options.instances = setting.clocks.count
        options.timeoutMicroseconds = setting.timeoutMicroseconds
        options.slotMicroseconds = setting.slotMicroseconds
        options.loops = 1 + World.loops.count
        let births = Births(instance: number, isConstant: world.fault == .noJoin)
        ledger = Ledger(store: ModelRing(), options: options, random: births)
        if let seen = setting.seenCall {
            // One of no time at all, too: the next may be as quick.
            for call in [0, seen] { ledger.servers[0].calls.note(call, isSlow: false, at: world.now) }
        }
        lanes = ledger.lanes.map { _ in Lane() }
    }

    var now: Moment { Moment(wall: world.now + aheadMicroseconds, steady: world.now) }

    /// The lanes' own work.
    func run() {
        if isDead { return }
        while let lane = lanes.indices.first(where: { lanes[$0].isWoken && lanes[$0].flight == nil }) { run(lane) }
    }

    /// The clock went on.
    func tick() {
        for lane in lanes.indices where lanes[lane].wait.map({ $0 <= now.steady }) ?? false {
            lanes[lane].isWoken = true
        }
        run()
    }

    private func run(_ lane: Int) {
        lanes[lane].isWoken = false
        lanes[lane].wait = nil
        while true {
            let step = ledger.step(lane, at: now)
            drain()
            switch step {
            case .stop: return
            case .wait(let until):
                lanes[lane].wait = until
                return
            case .call(let call):
                let isSearched =
                    switch call {
                    case .connect, .time: false
                    case .read, .write: World.loops.contains(lane)
                    }
                if isSearched {
                    lanes[lane].flight = Flight(call: call, since: now, known: world.known(by: number))
                    return
                }
                if case .connect = call { lanes[lane].connection = world.connects() }
                let reply = world.store.perform(call, connection: lanes[lane].connection, seconds: world.seconds)
                ledger.take(.success(reply), lane, at: now)
                drain()
            }
        }
    }

    /// The store does what the lane asked for.
    func execute(_ lane: Int) {
        guard let call = lanes[lane].flight?.call else { return }
        let reply = world.store.perform(call, connection: lanes[lane].connection, seconds: world.seconds)
        lanes[lane].flight?.reply = reply
        if case .wrote(let results, let found) = reply, case .write(let plans, _) = call,
            let flight = lanes[lane].flight
        {
            for case (let plan, .written) in zip(plans, results) { world.notes(plan, flight) }
            if !results.contains(where: \.isWritten), found.isEmpty { return }
        }
        lanes[lane].flight?.seen = world.inRecord
    }

    /// The lane gets its answer; nil: there is none.
    func take(_ reply: StoreReply?, _ lane: Int) {
        guard let flight = lanes[lane].flight else { return }
        lanes[lane].flight = nil
        lanes[lane].isWoken = true
        if reply != nil { world.knows(flight.seen, number) }
        var outcome: Result<StoreReply, StoreFailure> = .failure(StoreFailure(reason: "no answer"))
        if let reply { outcome = .success(reply) }
        if reply == nil, case .write(let plans, _) = flight.call, world.fault == .unansweredRepeated {
            outcome = .success(.wrote(plans.map { _ in .lost }, []))
        }
        ledger.take(outcome, lane, at: world.fault == .lateAnswer ? flight.since : now)
        drain()
        run()
    }

    func ask(_ claims: [Claim], _ waiter: ModelWaiter) {
        let loop = World.loops[waiter.ask % World.loops.count]
        switch ledger.ask(claims, from: loop, at: now, { waiter }) {
        case .decided(let decision): world.decided(waiter.ask, decision)
        case .waits(let pending):
            world.asks[waiter.ask].pending = pending
            world.asks[waiter.ask].due = pending.due
        }
        drain()
        run()
    }

    func expire(_ ask: Int) {
        guard let pending = world.asks[ask].pending else { return }
        if let again = ledger.expire(pending, at: now) {
            world.asks[ask].due = again
        } else if pending.decision == nil {
            world.breaks("L6: a request is not decided when its time is up")
        }
        drain()
        run()
    }

    func settle(_ held: [HeldUnits], used: Int?) {
        if world.fault == .settleLost { return }
        ledger.settle(held, used.map { Amounts(tokens: $0) }, at: now)
        drain()
        run()
    }

    private func drain() {
        var outbox = Outbox()
        swap(&outbox, &ledger.outbox)
        for lane in outbox.lanes { lanes[lane].isWoken = true }
        for request in outbox.decided {
            guard let waiter = request.waiter as? ModelWaiter, let decision = request.decision else { continue }
            world.decided(waiter.ask, decision)
        }
    }

    /// A call was not answered in time.
    var hadOutage: Bool { ledger.metrics.failures > 0 }

    /// Slots were written for requests that are to be admitted when the answer comes.
    var isTaking: Bool {
        lanes.contains { lane in
            guard case .write(let plans, _)? = lane.flight?.call, case .wrote(let results, _)? = lane.flight?.reply
            else {
                return false
            }
            return zip(plans, results).contains { $1.isWritten && !$0.takers.isEmpty }
        }
    }

    /// Nothing is under way or to be written.
    var isQuiet: Bool {
        isDead
            || !ledger.servers[0].isDown && lanes.allSatisfy { $0.flight == nil }
                && world.accounts(of: self)
                    .allSatisfy { $0.state == .idle && $0.waiting.isEmpty && !$0.tally.needsWrite(at: now.wall) }
    }
}

/// Which request a decision is for.
final class ModelWaiter: DecisionWaiter {
    let ask: Int

    init(_ ask: Int) { self.ask = ask }

    func decided(_ decision: Decision) {}
}

/// One server, to which connections are made by the lanes themselves.
struct ModelRing: CounterStore {
    let servers = ["store"]

    func server(of key: String) -> Int { 0 }

    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        throw StoreFailure(reason: "not connected here")
    }
}

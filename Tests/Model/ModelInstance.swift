@testable import Limits

/// One relay's ledger, with lanes that do what the search chooses. Calls that are not searched (connections, clocks,
/// the living instances) succeed at once.
final class ModelInstance {
    struct Flight {
        let call: StoreCall
        let since: ClockReading
        /// The requests that the instance knew to be counted, as a bit mask.
        let known: Int
        /// The reply, after the store has carried out the call.
        var result: StoreResult?
        /// The requests that were counted in the record at that time, as a bit mask.
        var seen = 0

        var isWrite: Bool { if case .write = call { true } else { false } }
    }

    struct Lane {
        var connection: UInt64 = 0
        var flight: Flight?
        /// The steady time before which the lane does nothing, unless it is woken.
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
        var options = LimiterOptions()
        options.storeDown = setting.rule
        options.instances = setting.clocks.count
        options.timeoutMicroseconds = setting.timeoutMicroseconds
        options.slotMicroseconds = setting.slotMicroseconds
        options.loops = 1 + World.loops.count
        let births = Births(instance: number, isConstant: world.fault == .noJoin)
        ledger = Ledger(store: ModelRing(), options: options, random: births)
        if let seen = setting.seenCall {
            // Also a call without any duration, because the next one may be as quick.
            for call in [0, seen] { ledger.servers[0].calls.record(call, isSlow: false, at: world.now) }
        }
        lanes = ledger.lanes.map { _ in Lane() }
    }

    var now: ClockReading { ClockReading(wall: world.now + aheadMicroseconds, steady: world.now) }

    /// Lets the lanes work until each waits.
    func run() {
        if isDead { return }
        while let lane = lanes.indices.first(where: { lanes[$0].isWoken && lanes[$0].flight == nil }) { run(lane) }
    }

    /// Handles the progress of the clock.
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
                    case .connect, .state: false
                    case .read, .write: World.loops.contains(lane)
                    }
                if isSearched {
                    lanes[lane].flight = Flight(call: call, since: now, known: world.known(by: number))
                    return
                }
                if case .connect = call { lanes[lane].connection = world.connects() }
                let result = world.store.perform(call, connection: lanes[lane].connection, seconds: world.seconds)
                ledger.receive(.success(result), lane: lane, at: now)
                drain()
            }
        }
    }

    /// Lets the store carry out the call of a lane.
    func execute(_ lane: Int) {
        guard let call = lanes[lane].flight?.call else { return }
        let result = world.store.perform(call, connection: lanes[lane].connection, seconds: world.seconds)
        lanes[lane].flight?.result = result
        if case .wrote(let results, let found) = result, case .write(let plans, _) = call,
            let flight = lanes[lane].flight
        {
            for case (let plan, .written) in zip(plans, results) { world.remarks(plan, flight) }
            if !results.contains(where: \.isWritten), found.isEmpty { return }
        }
        lanes[lane].flight?.seen = world.inRecord
    }

    /// Gives the lane its response; nil if there is none.
    func receive(_ result: StoreResult?, _ lane: Int) {
        guard let flight = lanes[lane].flight else { return }
        lanes[lane].flight = nil
        lanes[lane].isWoken = true
        if result != nil { world.knows(flight.seen, number) }
        var outcome: Result<StoreResult, StoreFailure> = .failure(StoreFailure(reason: "no answer"))
        if let result { outcome = .success(result) }
        if result == nil, case .write(let plans, _) = flight.call, world.fault == .unansweredRepeated {
            outcome = .success(.wrote(plans.map { _ in .lost }, []))
        }
        ledger.receive(outcome, lane: lane, at: world.fault == .lateAnswer ? flight.since : now)
        drain()
        run()
    }

    func ask(_ charges: [LimitCharge], _ waiter: ModelWaiter) {
        let loop = World.loops[waiter.ask % World.loops.count]
        let most = world.setting.patience
        let patience = most > 0 ? LimitPatience(microseconds: most, caller: charges[0].identity) : nil
        switch ledger.ask(charges, patience, from: loop, at: now, { waiter }) {
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

    func settle(_ held: [ReservedUnits], used: Int?) {
        if world.fault == .settleLost { return }
        ledger.settle(held, used.map { Amounts(tokens: $0) }, at: now)
        drain()
        run()
    }

    private func drain() {
        var outbox = Outbox()
        swap(&outbox, &ledger.outbox)
        for lane in outbox.lanes { lanes[lane].isWoken = true }
        for request in outbox.retimed {
            if let waiter = request.waiter as? ModelWaiter { world.asks[waiter.ask].due = world.now }
        }
        for request in outbox.decided {
            guard let waiter = request.waiter as? ModelWaiter, let decision = request.decision else { continue }
            world.decided(waiter.ask, decision)
        }
    }

    /// Whether a call got no response in time.
    var hadOutage: Bool { ledger.metrics.failures > 0 }

    /// Whether slots were written for requests that are admitted when the response comes.
    var isTaking: Bool {
        lanes.contains { lane in
            guard case .write(let plans, _)? = lane.flight?.call, case .wrote(let results, _)? = lane.flight?.result
            else {
                return false
            }
            return zip(plans, results).contains { $1.isWritten && !$0.takers.isEmpty }
        }
    }

    /// Whether no call is under way and nothing is to be written.
    var isQuiet: Bool {
        isDead
            || !ledger.servers[0].isDown && lanes.allSatisfy { $0.flight == nil }
                && world.accounts(of: self)
                    .allSatisfy { $0.state == .idle && $0.waiting.isEmpty && !$0.counter.needsWrite(at: now.wall) }
    }
}

/// A waiter that knows the number of its request.
final class ModelWaiter: DecisionWaiter {
    let ask: Int

    init(_ ask: Int) { self.ask = ask }

    func decided(_ decision: Decision) {}

    func retimed() {}
}

/// A list of one server. The lanes make the connections themselves.
struct ModelRing: CounterStore {
    let servers = ["store"]

    func server(of key: String) -> Int { 0 }

    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        throw StoreFailure(reason: "not connected here")
    }
}

@testable import Limits

/// One state of a search: instances, the store, clocks, and the decisions so far.
final class World {
    struct Subject {
        let limit: Limit
        let identity: Identity
        let key: String
    }

    struct Ask {
        let number: Int
        let instance: Int
        /// The time at which the request's timer fires.
        var due: Int
        var pending: Pending?
        var isDecided = false
        var admittedAt: Int?
        var held: [ReservedUnits] = []
        var isSettled = false
        /// The actual use in units.
        var used: Int
        /// The write that counted the request: its number, its bucket, the losses before it, and the requests that were
        /// counted in the record then, as a bit mask.
        var order = 0
        var bucket = 0
        var lossesBefore = 0
        var seen = 0
        /// Whether the record holds the request, as far as its last writer could know.
        var isInRecord = false
        /// The instances that know of the request, as a bit mask.
        var knownBy = 0
    }

    /// A write that may be carried out although nobody waits for it.
    struct Ghost {
        let plan: WritePlan
        let flight: ModelInstance.Flight
    }

    /// The faults used up so far, of those that the setting allows.
    struct Spent: Equatable {
        var failures = 0
        var doubles = 0
        var losses = 0
        var deaths = 0
    }

    /// The lanes that requests use in turn. On lane 0 the instances write that they are alive, which is not searched.
    static let loops = [1, 2]

    let setting: Setting
    let fault: Fault?
    let subjects: [Subject]
    private let times: [Int]
    private(set) var index = 0
    var store: ScriptedStore
    private(set) var instances: [ModelInstance] = []
    var asks: [Ask] = []
    private(set) var ghosts: [Ghost] = []
    private(set) var spent = Spent()
    /// Whether an instance let its slot entry end while requests held it.
    var isLapsed = false
    private(set) var breach: String?
    /// The instances that the last action reached, as a bit mask.
    private(set) var touched = 0
    private var lastConnection: UInt64 = 0
    private var writes = 0

    init(_ setting: Setting, _ subjects: [Subject], fault: Fault?) {
        self.setting = setting
        self.subjects = subjects
        self.fault = fault
        times = setting.times
        store = ScriptedStore(fault: fault)
        for number in setting.clocks.indices { instances.append(ModelInstance(number, self)) }
        for instance in instances { instance.run() }
    }

    static func subjects(_ setting: Setting, fault: Fault?) -> [Subject] {
        let spare = setting.spareBuckets - (fault == .bucketLess ? 1 : 0)
        // The second limit is one of another kind, and its store key is the later one.
        return zip(setting.quotas, [Limit.Kind.caller(.chat), .total]).map { quota, kind in
            let layout = BucketLayout(
                windowSeconds: quota.windowSeconds,
                spareBuckets: spare,
                perWindow: setting.perWindow
            )
            let limit = Limit(kind, quota, layout: layout, countsExpiredBuckets: fault != .leftForgotten)
            let identity = Identity.address("0")
            return Subject(limit: limit, identity: identity, key: identity.storeKey(limit))
        }
    }

    var now: Int { times[index] }
    var lastTime: Int { times[times.count - 1] }
    var seconds: Int { now / 1_000_000 }

    func connects() -> UInt64 {
        lastConnection += 1
        return lastConnection
    }

    /// Returns the accounts of the subjects in an instance, in the order of the subjects.
    func accounts(of instance: ModelInstance) -> [Account] {
        var accounts: [Account] = []
        instance.ledger.accounts.forEach { accounts.append($0) }
        return accounts.count < 2 ? accounts : accounts.sorted { $0.storeKey < $1.storeKey }
    }

    // MARK: Possible actions

    var actions: [Action] {
        var actions: [Action] = []
        for instance in instances where !instance.isDead { add(instance, to: &actions) }
        for ghost in ghosts.indices where store.takes(ghosts[ghost].plan) { actions.append(.haunt(ghost)) }
        if spent.losses < setting.losses {
            for subject in subjects.indices where store.items[subjects[subject].key] != nil {
                actions.append(.lose(subject))
            }
        }
        for ask in asks.indices where !instances[asks[ask].instance].isDead {
            if !asks[ask].isDecided, asks[ask].due <= now { actions.append(.expire(ask)) }
            if asks[ask].held.isEmpty || asks[ask].isSettled { continue }
            for used in setting.settlements { actions.append(.settle(ask, used: used)) }
        }
        if canTick { actions.append(.tick) }
        return actions
    }

    private func add(_ instance: ModelInstance, to actions: inout [Action]) {
        let number = instance.number
        if asks.count < setting.asks, asks.count(where: { !$0.isDecided }) < setting.waiting {
            actions.append(.ask(instance: number))
        }
        for (lane, state) in instance.lanes.enumerated() {
            guard let flight = state.flight else { continue }
            if flight.result == nil {
                actions.append(.execute(instance: number, lane: lane))
                if flight.isWrite, spent.doubles < setting.doubles {
                    actions.append(.double(instance: number, lane: lane))
                }
            } else {
                actions.append(.response(instance: number, lane: lane))
            }
            if spent.failures < setting.failures { actions.append(.fail(instance: number, lane: lane)) }
        }
        if spent.deaths < setting.deaths { actions.append(.die(instance: number)) }
    }

    /// Whether time may advance: something must still be able to happen.
    private var canTick: Bool {
        guard index + 1 < times.count else { return false }
        if let longest = setting.longestCall {
            let next = times[index + 1]
            let isLate = instances.contains { instance in
                instance.lanes.contains { $0.flight.map { next - $0.since.steady > longest } ?? false }
            }
            if isLate { return false }
        }
        // The bucket in which the first request comes makes no difference.
        if asks.isEmpty { return times[index + 1] < Setting.start + setting.bucketMicroseconds }
        if asks.count < setting.asks { return true }
        return asks.contains { ask in
            !instances[ask.instance].isDead && (!ask.isDecided || !ask.held.isEmpty && !ask.isSettled)
        }
    }

    // MARK: Actions

    func apply(_ action: Action) {
        touched = 0
        switch action {
        case .tick:
            index += 1
            touched = ~0
            for instance in instances { instance.tick() }
        case .ask(let number):
            touched = 1 << number
            asks.append(Ask(number: asks.count, instance: number, due: now, used: setting.units))
            let charges = subjects.map { LimitCharge($0.limit, $0.identity, units: setting.units) }
            instances[number].ask(charges, ModelWaiter(asks.count - 1))
        case .execute(let number, let lane):
            touched = 1 << number
            instances[number].execute(lane)
            if let flight = instances[number].lanes[lane].flight, !flight.isWrite, !setting.splitsReads {
                instances[number].receive(flight.result, lane)
            }
        case .double(let number, let lane):
            touched = 1 << number
            spent.doubles += 1
            haunt(by: instances[number].lanes[lane].flight)
            instances[number].execute(lane)
        case .response(let number, let lane):
            touched = 1 << number
            instances[number].receive(instances[number].lanes[lane].flight?.result, lane)
        case .fail(let number, let lane):
            touched = 1 << number
            spent.failures += 1
            let flight = instances[number].lanes[lane].flight
            if flight?.result == nil { haunt(by: flight) }
            instances[number].receive(nil, lane)
        case .haunt(let ghost):
            let ghost = ghosts.remove(at: ghost)
            if store.write(ghost.plan, connection: 0).isWritten { remarks(ghost.plan, ghost.flight) }
        case .lose(let subject):
            spent.losses += 1
            store.lose(subjects[subject].key)
            for ask in asks.indices { asks[ask].isInRecord = false }
        case .expire(let ask):
            touched = 1 << asks[ask].instance
            instances[asks[ask].instance].expire(ask)
        case .settle(let ask, let used):
            touched = 1 << asks[ask].instance
            asks[ask].isSettled = true
            asks[ask].used = used
            instances[asks[ask].instance].settle(asks[ask].held, used: used)
        case .die(let number):
            touched = 1 << number
            spent.deaths += 1
            for state in instances[number].lanes where state.flight?.result == nil { haunt(by: state.flight) }
            instances[number].isDead = true
        }
        forgetGhosts()
        recordLapse()
        checkQuiet()
    }

    private func haunt(by flight: ModelInstance.Flight?) {
        guard let flight, case .write(let plans, _) = flight.call else { return }
        ghosts += plans.map { Ghost(plan: $0, flight: flight) }
    }

    /// Removes writes that can never be carried out.
    private func forgetGhosts() {
        let mayLose = spent.losses < setting.losses
        ghosts.removeAll { ghost in
            if case .absent = ghost.plan.fresh, mayLose { return false }
            return !store.takes(ghost.plan)
        }
    }

    func decided(_ number: Int, _ decision: Decision) {
        asks[number].isDecided = true
        asks[number].pending = nil
        guard decision.isAdmitted else { return checkRefusal() }
        asks[number].admittedAt = now
        asks[number].held = decision.held
        checkAdmission()
    }

    // MARK: Knowledge about lost records

    /// Returns the requests that an instance knows, as a bit mask.
    func known(by instance: Int) -> Int { mask { $0.knownBy & 1 << instance != 0 } }

    var inRecord: Int { mask(\.isInRecord) }

    private func mask(_ isMeant: (Ask) -> Bool) -> Int {
        asks.indices.reduce(0) { isMeant(asks[$1]) ? $0 | 1 << $1 : $0 }
    }

    func knows(_ mask: Int, _ instance: Int) {
        for ask in asks.indices where mask & 1 << ask != 0 { asks[ask].knownBy |= 1 << instance }
    }

    /// Records that a write has replaced the record.
    func remarks(_ plan: WritePlan, _ flight: ModelInstance.Flight) {
        for ask in asks.indices { asks[ask].isInRecord = flight.known & 1 << ask != 0 }
        writes += 1
        for part in plan.takers {
            guard let waiter = part.request.waiter as? ModelWaiter else { continue }
            asks[waiter.ask].isInRecord = true
            asks[waiter.ask].bucket = (part.turn ?? plan.bucket).number
            asks[waiter.ask].lossesBefore = spent.losses
            asks[waiter.ask].order = writes
            asks[waiter.ask].seen = inRecord
        }
    }

    func breaks(_ text: String) { if breach == nil { breach = text } }
}

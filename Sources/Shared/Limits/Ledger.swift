/// All that one instance knows and does about limits, without threads, clocks and connections: those call it, in any
/// order, with the time, and do what it leaves in `outbox`.
///
/// A lane is a thread with a connection to one server; a record belongs to one lane. Of each account at most one call is
/// under way, so that an instance never races itself.
struct Ledger {
    struct Server {
        let name: String
        var isDown = false
        var downSince = 0
        var probeAt = 0
        /// Counts failures: what began before one is not used after it.
        var epoch = 0
        /// Queued, busy, or with requests waiting.
        var active: [RecordKey: Account] = [:]
        /// To be written when the server is back.
        var owing: [RecordKey: Account] = [:]
    }

    struct Lane {
        let server: Int
        /// The server's first lane looks whether it is back.
        let isFirst: Bool
        var inbox: [Account] = []
        var round = Round.none
        /// In which epoch of the server the connection was opened; nil: there is none.
        var connectedEpoch: Int?
        /// When the call under way began (steady). One takes longer than it should where a name is looked up.
        var callSince: Int?
    }

    let store: (any CounterStore)?
    let rule: StoreDownRule
    let timeoutMicroseconds: Int
    let lanesPerServer: Int
    let bytesBound: Int
    var servers: [Server]
    var lanes: [Lane]
    var accounts = RecentTable<RecordKey, Account>()
    var bytes = 0
    var outbox = Outbox()
    var metrics = LimiterMetrics()
    var isStopping = false
    /// Birth numbers and pauses.
    var random: any RandomNumberGenerator & Sendable

    init(
        store: (any CounterStore)?,
        rule: StoreDownRule,
        timeoutMicroseconds: Int,
        lanesPerServer: Int,
        bytesBound: Int,
        random: any RandomNumberGenerator & Sendable
    ) {
        self.store = store
        self.rule = rule
        self.timeoutMicroseconds = timeoutMicroseconds
        self.lanesPerServer = lanesPerServer
        self.bytesBound = bytesBound
        self.random = random
        let names = store?.servers ?? []
        servers = names.map { Server(name: $0) }
        lanes = names.indices.flatMap { server in
            (0..<lanesPerServer).map { Lane(server: server, isFirst: $0 == 0) }
        }
    }

    // MARK: A request comes

    enum Answer {
        case decided(Decision)
        case waits(Pending)
    }

    mutating func ask(_ wants: [Want], at now: Moment, _ waiter: () -> any DecisionWaiter) -> Answer {
        guard store != nil else { return .decided(decideInMemory(wants, now)) }
        var parts = wants.map { want in
            let account = account(want, now)
            return Pending.Share(
                account: account,
                units: want.units,
                state: isUnderRule(account, now) ? .local : .unread
            )
        }
        if parts.count > 1 { parts.sort { $0.account.storeKey < $1.account.storeKey } }
        let isKnownFull = parts.contains { part in
            part.units > part.account.limit.quota.count
                || (part.state == .unread && part.account.refusedUntil > now.wall
                    && !part.account.hasRoom(for: part.units, at: now.wall))
        }
        if isKnownFull { return .decided(refusal(parts, now)) }
        if parts.allSatisfy({ $0.state == .local }) { return .decided(decideByRule(parts, now)) }
        let request = Pending(parts, waiter())
        for (index, part) in parts.enumerated() where part.state == .unread {
            part.account.waiting.append(Part(request: request, index: index))
            enqueue(part.account)
        }
        return .waits(request)
    }

    /// The request's time is up; afterwards it is decided.
    mutating func expire(_ request: Pending, at now: Moment) {
        guard request.decision == nil else { return }
        metrics.expired += 1
        var stuck: Int?
        for index in request.parts.indices {
            let part = request.parts[index]
            switch part.state {
            case .taken, .local: continue
            case .late(let bucket): giveBack(part.units, bucket, part.account)
            case .unread, .seen, .writing: break
            }
            part.account.ruleUntil = now.steady + 1_000_000
            request.parts[index].state = .local
            let lane = lanes[part.account.lane]
            if let since = lane.callSince, since + 2 * timeoutMicroseconds <= now.steady {
                stuck = lane.server
            }
        }
        request.unread = 0
        finish(request, now, isLast: true)
        if let stuck { fail(stuck, epoch: servers[stuck].epoch, "a call takes too long", at: now) }
    }

    private mutating func account(_ want: Want, _ now: Moment) -> Account {
        let key = RecordKey(want.limit, want.identity)
        if let account = accounts.use(key) {
            account.dropIfAhead(of: now.wall)
            return account
        }
        makeRoom(now)
        let storeKey = store == nil ? "" : want.identity.storeKey(want.limit)
        let server = store?.server(of: storeKey) ?? 0
        let lane = server * lanesPerServer + key.place(of: lanesPerServer)
        let account = Account(key, want.limit, storeKey: storeKey, server: server, lane: lane, at: now.wall)
        accounts.set(key, account)
        bytes += account.bytes
        return account
    }

    /// Drops what is spent, and beyond the bound what was unused longest; not what is being worked on.
    private mutating func makeRoom(_ now: Moment) {
        for _ in 0..<4 {
            guard let oldest = accounts.leastRecent?.value else { return }
            if oldest.state != .idle || !oldest.waiting.isEmpty {
                _ = accounts.use(oldest.key)
            } else if bytes > bytesBound || oldest.isSpent(at: now.wall) {
                _ = accounts.remove(oldest.key)
                bytes -= oldest.bytes
                if !servers.isEmpty { servers[oldest.server].owing[oldest.key] = nil }
            } else {
                return
            }
        }
    }

    // MARK: Decisions

    mutating func decideInMemory(_ wants: [Want], _ now: Moment) -> Decision {
        if wants.count == 1 {
            let account = account(wants[0], now)
            account.record.roll(to: now.wall)
            guard account.record.admit(wants[0].units, of: account.limit.quota.count) else {
                return refusal([Pending.Share(account: account, units: wants[0].units, state: .local)], now)
            }
            var decision = Decision(.admitted)
            decision.note(account.record.standing(of: account.limit, at: now.wall))
            if account.limit.quota.unit.isKnownLate {
                decision.held = [HeldUnits(account: account, units: wants[0].units, bucket: account.record.newest)]
            }
            metrics.count(.admitted, account.limit.kind)
            return decision
        }
        return decideByRule(
            wants.map { Pending.Share(account: account($0, now), units: $0.units, state: .local) },
            now
        )
    }

    private func isUnderRule(_ account: Account, _ now: Moment) -> Bool {
        servers[account.server].isDown || account.ruleUntil > now.steady
    }

    /// All or nothing over the parts that are decided without the store.
    private mutating func decideByRule(_ parts: [Pending.Share], _ now: Moment) -> Decision {
        if store != nil {
            metrics.byRule += 1
            if rule == .deny {
                for part in parts where part.state == .local { metrics.count(.storeDown, part.account.limit.kind) }
                return describe(Decision(.storeDown), parts, now)
            }
        }
        if rule != .allow || store == nil {
            let isFull = parts.contains { $0.state == .local && !$0.account.hasRoom(for: $0.units, at: now.wall) }
            if isFull { return refusal(parts, now) }
        }
        for part in parts where part.state == .local { charge(part.units, part.account, now) }
        return admission(parts, now)
    }

    /// Counts in memory; with a store, what is owed to it.
    private mutating func charge(_ units: Int, _ account: Account, _ now: Moment) {
        guard store != nil else {
            account.record.roll(to: now.wall)
            account.record.charge(units)
            return
        }
        account.owe(units, at: now.wall)
        settleSoon(account)
    }

    private mutating func admission(_ parts: [Pending.Share], _ now: Moment) -> Decision {
        var decision = describe(Decision(.admitted), parts, now)
        for part in parts {
            let account = part.account
            metrics.count(.admitted, account.limit.kind)
            guard account.limit.quota.unit.isKnownLate else { continue }
            let bucket =
                if case .taken(let bucket) = part.state { bucket } else { (account.owed ?? account.record).newest }
            decision.held.append(HeldUnits(account: account, units: part.units, bucket: bucket))
        }
        return decision
    }

    /// What was used of what a request had reserved: the difference is given back to the bucket of the reservation, or
    /// charged in the newest one.
    mutating func settle(_ held: HeldUnits, used: Int, at now: Moment) {
        let account = held.account
        var excess = held.units - max(0, used)
        if excess < 0 { return charge(-excess, account, now) }
        guard store != nil else { return account.record.giveBack(excess, in: held.bucket) }
        if let owed = account.owed {
            let here = min(excess, owed.count(in: held.bucket))
            account.owed?.giveBack(here, in: held.bucket)
            excess -= here
        }
        giveBack(excess, held.bucket, account)
    }

    private func describe(_ decision: Decision, _ parts: [Pending.Share], _ now: Moment) -> Decision {
        var decision = decision
        for part in parts {
            decision.note(part.account.view(at: now.wall).standing(of: part.account.limit, at: now.wall))
        }
        return decision
    }

    /// Of the limits without room, the one that frees last.
    private mutating func refusal(_ parts: [Pending.Share], _ now: Moment) -> Decision {
        var worst: Decision.Refusal?
        for part in parts {
            let (limit, view) = (part.account.limit, part.account.view(at: now.wall))
            if case .taken = part.state { continue }
            guard !view.hasRoom(for: part.units, of: limit.quota.count) else { continue }
            let wait = view.retryAfter(part.units, of: limit.quota.count, at: now.wall)
            if let wait {
                // Settlements may free room at any time.
                let memory = limit.quota.unit.isKnownLate ? min(wait, 1_000_000) : wait
                part.account.refusedUntil = max(part.account.refusedUntil, now.wall + memory)
            }
            let isWorse = worst.map { ($0.retryAfterMicroseconds ?? .max) < (wait ?? .max) } ?? true
            if isWorse {
                worst = Decision.Refusal(limit: limit, requested: part.units, retryAfterMicroseconds: wait)
            }
        }
        // A bucket may have fallen free since the write that had no room.
        let first = Decision.Refusal(
            limit: parts[0].account.limit,
            requested: parts[0].units,
            retryAfterMicroseconds: 1_000
        )
        let refusal = worst ?? first
        metrics.count(.refused, refusal.limit.kind)
        return describe(Decision(.refused(refusal)), parts, now)
    }

    // MARK: A request goes on

    /// Its next part to be counted, or its end.
    mutating func advance(_ request: Pending, _ now: Moment) {
        guard request.decision == nil, request.unread == 0 else { return }
        guard let next = request.firstOpen else { return finish(request, now, isLast: false) }
        enqueue(request.parts[next].account)
    }

    /// All parts have been read: goes on if all have room.
    mutating func begin(_ request: Pending, _ now: Moment) {
        let isFull = request.parts.contains { !$0.account.hasRoom(for: $0.units, at: now.wall) && $0.state == .seen }
        if request.parts.count > 1, isFull {
            decide(request, refusal(request.parts, now))
        } else {
            advance(request, now)
        }
    }

    /// All parts are counted or local. `isLast`: nothing may be waited for any more.
    mutating func finish(_ request: Pending, _ now: Moment, isLast: Bool) {
        for index in request.parts.indices {
            guard case .taken(let bucket) = request.parts[index].state else { continue }
            let account = request.parts[index].account
            // Units are used only before our clock passes the end of their bucket.
            if now.wall < account.limit.grid.end(of: bucket) { continue }
            metrics.late += 1
            if isLast || isUnderRule(account, now) {
                giveBack(request.parts[index].units, bucket, account)
                request.parts[index].state = .local
            } else {
                request.parts[index].state = .late(bucket: bucket)
                account.waiting.append(Part(request: request, index: index))
                enqueue(account)
            }
        }
        if request.firstOpen != nil { return }
        if request.parts.contains(where: { $0.state == .local }) {
            decide(request, decideByRule(request.parts, now))
        } else {
            decide(request, admission(request.parts, now))
        }
    }

    mutating func refuse(_ request: Pending, _ now: Moment) { decide(request, refusal(request.parts, now)) }

    private mutating func decide(_ request: Pending, _ decision: Decision) {
        request.decision = decision
        outbox.decided.append(request)
        guard !decision.isAdmitted else { return }
        for part in request.parts {
            switch part.state {
            case .taken(let bucket), .late(let bucket): giveBack(part.units, bucket, part.account)
            case .unread, .seen, .writing, .local: break
            }
        }
    }

    mutating func giveBack(_ units: Int, _ bucket: Int, _ account: Account) {
        guard units > 0 else { return }
        account.returns.append((bucket, units))
        settleSoon(account)
    }

    /// What is owed or given back is written soon, or when the server is back.
    private mutating func settleSoon(_ account: Account) {
        if servers[account.server].isDown {
            servers[account.server].owing[account.key] = account
        } else {
            enqueue(account)
        }
    }

    mutating func enqueue(_ account: Account) {
        servers[account.server].active[account.key] = account
        guard account.state == .idle else { return }
        account.state = .queued
        if outbox.lanes.last != account.lane { outbox.lanes.append(account.lane) }
        lanes[account.lane].inbox.append(account)
    }
}

extension Record {
    func standing(of limit: Limit, at time: Int) -> Decision.Standing {
        Decision.Standing(limit: limit, remaining: remaining(of: limit.quota.count), resetMicroseconds: reset(at: time))
    }
}

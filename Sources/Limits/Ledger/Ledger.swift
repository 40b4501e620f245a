/// The state of all limits in one instance. Other code passes events and the current time to the ledger, and does the
/// work in `outbox`. At most one store call is under way for an account.
struct Ledger {
    /// The state of one server of the store.
    struct Server {
        let name: String
        var isDown = false
        var downSince = 0
        var probeAt = 0
        /// The monotonic time until which the rule `share` still applies after this server's outage.
        var shareUntil = 0
        /// The number of failures of this server of the store so far. If it has changed, the server failed meanwhile.
        var epoch = 0
        /// The number of outages of this server of the store. A failure soon after a recovery belongs to the previous
        /// outage.
        var outage = 0
        var calls = RecentCallDurations()
        /// The accounts at this server that have waiting requests or work for a lane. Running requests may settle in one
        /// that was dropped, beside another with the same key.
        var active: [ObjectIdentifier: Account] = [:]
        /// The accounts whose records must be written when this server of the store is available again.
        var owing: [ObjectIdentifier: Account] = [:]
        /// The server's life as last seen; nil before the first look.
        var life: [Int]?
        /// The monotonic time of the next look at the server's state.
        var lookAt = 0
        /// The accounts whose records must be compared with the server's, because it may have lost records. The last ones
        /// are the next.
        var sweep: [Account] = []
        /// Whether the sweep follows a restart or a flush of the server, so that it is fast.
        var hasLost = false
        /// The monotonic time of the next records of the sweep.
        var sweepAt = 0
        /// The monotonic time of the next slow sweep; 0 before the first look.
        var slowSweepAt = 0
        var slowSweepPause = 0
        /// The number of records that were missing before the last slow sweep.
        var rejoined = 0
    }

    struct Lane {
        let server: Int
        /// Whether this is the first lane of its server of the store.
        let isFirst: Bool
        var inbox: [Account] = []
        var due = DueQueue()
        var round = Round.none
        /// The number of the server's failures (`epoch`) when the lane's connection was opened; nil if there is no
        /// connection.
        var connectedEpoch: Int?
        /// The monotonic time at which the lane's current store call began; nil if there is no call.
        var callSince: Int?
        /// The monotonic time of the last successful call.
        var heardAt = 0
        /// The usual duration of a call in microseconds, as a moving average.
        var roundTrip = 0
    }

    let store: (any CounterStore)?
    /// Whether there is a shared store. Reading this property is cheaper than comparing `store` with nil.
    let isShared: Bool
    var options: LimiterOptions
    /// The random id of this instance, drawn at the start.
    let instance: UInt64
    var servers: [Server]
    var lanes: [Lane]
    var accounts: AccountTable
    /// The counters that an earlier process saved; empty if there is a shared store.
    var saved = SavedCounters()
    /// The work for the database of copies; nil if there is none.
    var copies: Copies?
    /// The monotonic time at which the first account was made; nil before that.
    var startedAt: Int?
    var turns = WaitingRequests()
    /// The number of settlements and resets so far.
    var corrections = 0
    var outbox = Outbox()
    var metrics = LimiterMetrics()
    let sums = CounterSums()
    var clock = ClockWatch()
    /// The account and the counter for the record in which all running instances have entries; nil without a store.
    var living: (account: Account, counter: SlotCounter)?
    /// The number of living instances as last seen.
    var instancesSeen = 1
    /// The account and the counter of the record in which each instance stores how many instances it saw; nil without
    /// a store.
    var shareRecord: (account: Account, counter: SlotCounter)?
    var shares = InstanceShare()
    var rank: Int?
    /// The monotonic time since which the store has listed fewer living instances than `instancesSeen`; nil if it lists
    /// as many or more.
    var fewerInstancesSince: Int?
    /// The clock correction that was last reported to the operator, in microseconds.
    var reportedCorrection = 0
    /// The requests that are counted in all their limits but wait until the machine's clock is verified.
    var undecided: [Pending] = []
    /// The monotonic time at which all lanes stop at the latest; nil if the process is not ending.
    var stopBy: Int?
    /// The mark of this instance's last planned write. The first one is random, so that instances hardly use the same marks.
    var lastMark: UInt32
    /// The source of random numbers, for example for the pause after a lost race.
    var random: any RandomNumberGenerator & Sendable

    init(store: (any CounterStore)?, options: LimiterOptions, random: any RandomNumberGenerator & Sendable) {
        self.store = store
        isShared = store != nil
        self.options = options
        var random = random
        instance = random.next()
        lastMark = UInt32(truncatingIfNeeded: instance)
        self.random = random
        accounts = AccountTable(bytes: options.bytes)
        let names = store?.servers ?? []
        servers = names.map { Server(name: $0) }
        let loops = options.loops
        lanes = names.indices.flatMap { server in (0..<loops).map { Lane(server: server, isFirst: $0 == 0) } }
        if isShared { join() }
    }

    /// Adds this instance to the record of living instances.
    private mutating func join() {
        let entry = entry(Limit("total.concurrent.\(Quota.countBound).0", .concurrent))
        entry.counter.hold(1)
        living = entry
        shareRecord = self.entry(Self.shareRecordLimit)
        enqueue(entry.account)
    }

    /// Makes the account and the slot counter of a record in which each instance has one entry.
    private func entry(_ limit: Limit) -> (account: Account, counter: SlotCounter) {
        let counter = SlotCounter(
            limit,
            isShared: true,
            sums: CounterSums(),
            instance: instance,
            slotMicroseconds: options.slotMicroseconds
        )
        return (account(RecordKey(limit, .instances), limit, identity: .instances, counter: counter), counter)
    }

    // MARK: Accounts

    mutating func account(_ charge: LimitCharge, _ now: ClockReading) -> Account {
        let key = RecordKey(charge.limit, charge.identity)
        let part = AccountTable.PartitionKind(charge)
        if let account = accounts.use(key, part) {
            if account.state == .idle, account.counter.moveBackIfAhead(of: now.wall) { account.known = nil }
            account.usedAt = now.steady
            account.use(charge.limit)
            return account
        }
        for dropped in accounts.makeRoom(part, now) where !servers.isEmpty {
            servers[dropped.server].owing[ObjectIdentifier(dropped)] = nil
        }
        let counter: any LimitCounter =
            if charge.limit.quota.unit == .concurrent {
                SlotCounter(
                    charge.limit,
                    isShared: isShared,
                    sums: sums,
                    instance: instance,
                    slotMicroseconds: options.slotMicroseconds
                )
            } else {
                WindowCounter(
                    charge.limit,
                    isShared: isShared,
                    sums: sums,
                    at: now.wall,
                    saved: saved.restore(key, charge.limit)
                )
            }
        let account = account(key, charge.limit, identity: charge.identity, counter: counter)
        account.usedAt = now.steady
        account.former = former(of: account, charge.identity, now)
        accounts.add(account, part)
        return account
    }

    /// Makes the account of the record that earlier versions of the relay counted in. Returns nil if such a record no
    /// longer matters.
    private mutating func former(of account: Account, _ identity: Identity, _ now: ClockReading) -> Account? {
        let limit = account.limit
        let since = startedAt ?? now.steady
        startedAt = since
        guard options.readsFormerKeys, isShared, limit.quota.unit != .concurrent,
            now.steady - since < 2 * limit.layout.windowMicroseconds
        else { return nil }
        let counter = WindowCounter(limit, isShared: true, sums: sums, at: now.wall)
        let key = identity.formerStoreKey(limit, options.secret)
        let former = self.account(
            account.key.former(of: limit),
            limit,
            identity: identity,
            counter: counter,
            storeKey: key
        )
        former.successor = account
        return former
    }

    private func account(
        _ key: RecordKey,
        _ limit: Limit,
        identity: Identity,
        counter: any LimitCounter,
        storeKey: String? = nil
    ) -> Account {
        let storeKey = storeKey ?? (isShared ? identity.storeKey(limit, options.secret) : "")
        let server = store?.server(of: storeKey) ?? 0
        let lane = server * options.loops
        return Account(key, limit, storeKey: storeKey, server: server, lane: lane, counter: counter)
    }

    /// Moves an idle account to the lane of this event loop. Does nothing if the account is in use.
    func bring(_ account: Account, to loop: Int) {
        guard account.state == .idle, !account.hasRequests else { return }
        let lane = account.server * options.loops + loop
        if lane == account.lane { return }
        account.lane = lane
        account.known = nil  // versions are valid for one connection only
    }

    // MARK: Rules without the store

    func isUnderRule(_ account: Account, _ now: ClockReading) -> Bool {
        servers[account.server].isDown || account.ruleUntil > now.steady
    }

    /// Returns the rule for an account while the store is unavailable. It is always `share` for logins, to limit password
    /// guesses.
    func rule(of account: Account) -> StoreDownRule { account.limit.kind == .login ? .share : options.storeDown }

    /// Returns the rule that decides for an account while its server of the store is unavailable.
    func outageRule(_ account: Account, _ now: ClockReading) -> OutageRule {
        var outage = 0
        if !servers.isEmpty {
            let server = servers[account.server]
            // A record that the store refuses has an outage of its own, which is not the server's next one.
            outage = !server.isDown && account.ruleUntil > now.steady ? ~server.outage : server.outage
        }
        return OutageRule(
            rule: rule(of: account),
            instances: max(1, options.instances ?? shares.instances),
            rank: rank,
            epoch: outage,
            cap: options.instances == nil ? shares.cap : nil
        )
    }

    /// Returns the rule for the account's requests shortly after an outage; nil at other times, or if the rule is
    /// not `share`.
    func ruleAfterOutage(_ account: Account, _ now: ClockReading) -> OutageRule? {
        guard servers[account.server].shareUntil > now.steady, rule(of: account) == .share else { return nil }
        return outageRule(account, now)
    }

    /// Returns the rule for the account's requests during or shortly after an outage; nil if no rule applies.
    func ruleNow(_ account: Account, _ now: ClockReading) -> OutageRule? {
        guard isShared else { return nil }
        return isUnderRule(account, now) ? outageRule(account, now) : ruleAfterOutage(account, now)
    }

    // MARK: Work for the lanes

    /// Schedules a write of the account's units that the store does not have yet. If the server is down, the write
    /// follows after the outage.
    mutating func scheduleWrite(_ account: Account, _ now: ClockReading) {
        guard isShared else {
            if account.isOfSlots { return serveQueue(account, now) }
            _ = takeEarlierTurns(account, nil, now)
            return callHeld(account, now)
        }
        guard account.counter.needsWrite(at: now.wall) else {
            if schedule(account, now) { outbox.lanes.append(account.lane) }
            return
        }
        if servers[account.server].isDown {
            servers[account.server].owing[ObjectIdentifier(account)] = account
        } else {
            enqueue(account)
        }
    }

    mutating func enqueue(_ account: Account) {
        servers[account.server].active[ObjectIdentifier(account)] = account
        guard account.state == .idle else { return }
        account.state = .queued
        if outbox.lanes.last != account.lane { outbox.lanes.append(account.lane) }
        lanes[account.lane].inbox.append(account)
    }
}

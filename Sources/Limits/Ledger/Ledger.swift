/// All that one instance knows and does about limits, without threads, clocks and connections: those call it, in any
/// order, with the time, and do what it leaves in `outbox`.
///
/// A lane is a connection to one server, on one loop. Of each account at most one call is under way, in one lane, so that an
/// instance never races itself.
struct Ledger {
    struct Server {
        let name: String
        var isDown = false
        var downSince = 0
        var probeAt = 0
        /// Until then (steady), after an outage, the rule `share` holds beside the records.
        var shareUntil = 0
        /// Counts failures: what began before one is not used after it.
        var epoch = 0
        /// Counts outages: a failure before all have joined what they know belongs to the one before.
        var outage = 0
        var calls = RecentCalls()
        /// Queued, busy, or with requests waiting.
        var active: [RecordKey: Account] = [:]
        /// To be written when the server is back.
        var owing: [RecordKey: Account] = [:]
    }

    struct Lane {
        let server: Int
        /// The server's first lane looks whether it is back, and what its clock says.
        let isFirst: Bool
        var inbox: [Account] = []
        var due = DueQueue()
        var round = Round.none
        /// In which epoch of the server the connection was opened; nil: there is none.
        var connectedEpoch: Int?
        /// When the call under way began (steady). One takes longer than it should where a name is looked up.
        var callSince: Int?
        /// When a call was answered last (steady).
        var heardAt = 0
        /// The usual time of a call, by the last ones above all.
        var roundTrip = 0
    }

    let store: (any CounterStore)?
    /// There is a store; apart, since to compare it with nil would copy it.
    let isShared: Bool
    var options: Options
    /// Drawn at start: whose entries of slots are ours.
    let instance: UInt64
    var servers: [Server]
    var lanes: [Lane]
    var accounts: AccountTable
    var outbox = Outbox()
    var metrics = LimiterMetrics()
    let sums = TallySums()
    var clock = ClockWatch()
    /// The instances that are alive, with a store: a limit of slots in which each holds one.
    var living: (account: Account, tally: SlotTally)?
    /// As many as were last seen, and our place among them.
    var instancesSeen = 1
    /// Among how many these say that limits are shared out: a limit of slots in which each holds so many.
    var claims: (account: Account, tally: SlotTally)?
    var shares = Shares()
    var rank: Int?
    /// Since when fewer were seen (steady).
    var fewerInstancesSince: Int?
    /// The correction of the clock that the operator was told.
    var toldCorrection = 0
    /// Counted in full, but not decided before the store's clock was asked.
    var undecided: [Pending] = []
    /// Ends when nothing is to be written any more, at this time (steady) at the latest.
    var stopBy: Int?
    /// Birth numbers and pauses.
    var random: any RandomNumberGenerator & Sendable

    init(store: (any CounterStore)?, options: Options, random: any RandomNumberGenerator & Sendable) {
        self.store = store
        isShared = store != nil
        self.options = options
        var random = random
        instance = random.next()
        self.random = random
        accounts = AccountTable(bytes: options.bytes)
        let names = store?.servers ?? []
        servers = names.map { Server(name: $0) }
        let loops = options.loops
        lanes = names.indices.flatMap { server in (0..<loops).map { Lane(server: server, isFirst: $0 == 0) } }
        if isShared { join() }
    }

    /// Becomes one of the instances that are alive.
    private mutating func join() {
        let entry = entry(Limit(.total, Quota(Quota.countBound, .concurrent, per: .second)))
        entry.tally.hold(1)
        living = entry
        claims = self.entry(Self.claimsLimit)
        enqueue(entry.account)
    }

    /// A record in which each instance has an entry.
    private func entry(_ limit: Limit) -> (account: Account, tally: SlotTally) {
        let tally = SlotTally(
            limit,
            isShared: true,
            sums: TallySums(),
            instance: instance,
            spanMicroseconds: options.slotMicroseconds
        )
        return (account(RecordKey(limit, .instances), limit, .instances, tally), tally)
    }

    // MARK: Accounts

    mutating func account(_ claim: Claim, _ now: Moment) -> Account {
        let key = RecordKey(claim.limit, claim.identity)
        let part = AccountTable.Part(claim)
        if let account = accounts.use(key, part) {
            if account.state == .idle, account.tally.moveBackIfAhead(of: now.wall) { account.known = nil }
            account.usedAt = now.steady
            return account
        }
        for dropped in accounts.makeRoom(part, now) where !servers.isEmpty {
            servers[dropped.server].owing[dropped.key] = nil
        }
        let tally: any Tally =
            if claim.limit.quota.unit == .concurrent {
                SlotTally(
                    claim.limit,
                    isShared: isShared,
                    sums: sums,
                    instance: instance,
                    spanMicroseconds: options.slotMicroseconds
                )
            } else {
                WindowTally(claim.limit, isShared: isShared, sums: sums, at: now.wall)
            }
        let account = account(key, claim.limit, claim.identity, tally)
        account.usedAt = now.steady
        accounts.add(account, part)
        return account
    }

    private func account(_ key: RecordKey, _ limit: Limit, _ identity: Identity, _ tally: any Tally) -> Account {
        let storeKey = isShared ? identity.storeKey(limit, options.secret) : ""
        let server = store?.server(of: storeKey) ?? 0
        let lane = server * options.loops
        return Account(key, limit, storeKey: storeKey, server: server, lane: lane, tally)
    }

    /// Its record is read and written on the loop of the request that asks for it, if it is not under way already.
    func bring(_ account: Account, to loop: Int) {
        guard account.state == .idle, account.waiting.isEmpty else { return }
        let lane = account.server * options.loops + loop
        if lane == account.lane { return }
        account.lane = lane
        account.known = nil  // versions hold for one connection
    }

    // MARK: Which rule holds

    func isUnderRule(_ account: Account, _ now: Moment) -> Bool {
        servers[account.server].isDown || account.ruleUntil > now.steady
    }

    func rule(of account: Account) -> StoreDownRule { account.limit.kind.ruleWithoutStore ?? options.storeDown }

    /// The rule for an account whose store cannot be asked.
    func outageRule(_ account: Account, _ now: Moment) -> OutageRule {
        var outage = 0
        if !servers.isEmpty {
            let server = servers[account.server]
            // A record that the store does not take has an outage of its own.
            outage = server.outage + (!server.isDown && account.ruleUntil > now.steady ? 1 : 0)
        }
        return OutageRule(
            rule: rule(of: account),
            instances: max(1, options.instances ?? shares.instances),
            rank: rank,
            epoch: outage,
            cap: options.instances == nil ? shares.cap : nil
        )
    }

    /// The rule that holds beside the record, for a while after an outage, so that all have joined what they know
    /// before anybody uses the whole of it again.
    func ruleAfterOutage(_ account: Account, _ now: Moment) -> OutageRule? {
        guard servers[account.server].shareUntil > now.steady, rule(of: account) == .share else { return nil }
        return outageRule(account, now)
    }

    /// The one that holds in place of the record or beside it.
    func ruleNow(_ account: Account, _ now: Moment) -> OutageRule? {
        guard isShared else { return nil }
        return isUnderRule(account, now) ? outageRule(account, now) : ruleAfterOutage(account, now)
    }

    // MARK: Work for the lanes

    /// Units that the tally knows and the store does not are written soon, or when the server is back.
    mutating func settleSoon(_ account: Account, _ now: Moment) {
        guard isShared else { return }
        guard account.tally.needsWrite(at: now.wall) else {
            if schedule(account, now) { outbox.lanes.append(account.lane) }
            return
        }
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

extension Ledger {
    /// The options from settings, and the bounds of the process.
    struct Options {
        var storeDown = StoreDownRule.share
        /// Among how many instances limits are shared out; nil: as many as are alive.
        var instances: Int?
        /// The longest time that a decision waits for one call of the store.
        var timeoutMicroseconds = 250_000
        /// The time for which a slot is held without renewal.
        var slotMicroseconds = 30_000_000
        /// The loops on which requests ask; each has a lane to each server.
        var loops = 1
        /// The memory for accounts.
        var bytes = 64 * 1_048_576
        /// Under which records are named; nil: by plain digests.
        var secret: StoreSecret?
    }
}

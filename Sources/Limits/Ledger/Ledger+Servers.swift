/// The failure and recovery of a server of the store, and the end of the ledger's work.
extension Ledger {
    /// Marks a server of the store as down. Requests that wait for this server are decided without the store.
    mutating func fail(_ server: Int, epoch: Int, _ reason: String, at now: ClockReading) {
        guard servers[server].epoch == epoch, !servers[server].isDown else { return }
        servers[server].isDown = true
        servers[server].downSince = now.steady
        servers[server].probeAt = now.steady + Self.probeMicroseconds
        servers[server].epoch += 1
        if servers[server].shareUntil <= now.steady { servers[server].outage += 1 }
        metrics.failures += 1
        outbox.events.append(.storeDown(server: servers[server].name, reason: reason, rule: options.storeDown))
        if options.storeDown == .share, options.instances == nil {
            if !shares.hasSeenStore {
                outbox.events.append(.sharesAlone)
            } else if shares.fraction.units == 0 {
                outbox.events.append(.sharesNothing)
            }
        }
        // A sweep that an outage interrupts begins anew.
        if servers[server].hasLost,
            !servers[server].sweep.isEmpty || now.steady < servers[server].sweepAt + Self.probeMicroseconds
        {
            servers[server].life = [servers[server].epoch]
        }
        servers[server].sweep = []
        for lane in lanes.indices where lanes[lane].server == server {
            lanes[lane].inbox = []
            if lanes[lane].isFirst { outbox.lanes.append(lane) }
        }
        // The sorted order makes a run repeatable.
        let accounts = servers[server].active.values.sorted { $0.storeKey < $1.storeKey }
        servers[server].active = [:]
        var parts: [RequestPart] = []
        for account in accounts {
            account.counter.storeLost()
            if let plan = account.writing {
                account.writing = nil
                account.counter.unknown(mark: plan.mark)
                parts += plan.takers + plan.refused
            }
            account.fresh = .nothing
            account.known = nil
            account.state = .idle
            account.losses = 0
            account.notBefore = 0
            parts += account.waiting + endQueue(account, now)
            account.waiting = []
            scheduleWrite(account, now)
        }
        for part in parts { makeLocal(part, now) }
        for part in parts { advance(part.request, now) }
        outbox.isReady = true
    }

    /// Marks a server of the store as available after a successful probe.
    mutating func restore(_ server: Int, at now: ClockReading) {
        guard servers[server].isDown else { return }
        servers[server].isDown = false
        servers[server].shareUntil = now.steady + 2 * Self.probeMicroseconds
        let seconds = (now.steady - servers[server].downSince) / 1_000_000
        metrics.downSeconds += seconds
        outbox.events.append(.storeBack(server: servers[server].name, seconds: seconds))
        let owing = servers[server].owing.values.sorted { $0.storeKey < $1.storeKey }
        servers[server].owing = [:]
        for account in owing { enqueue(account) }
        for lane in lanes.indices where lanes[lane].server == server { outbox.lanes.append(lane) }
    }

    /// Prepares the ledger for the end of the process. Pending changes are still written to the store if that does not
    /// take long.
    /// - Parameter microseconds: the time for it; at least one call's time-out is used.
    mutating func close(within microseconds: Int = 0, at now: ClockReading) {
        let now = read(now)
        stopBy = now.steady + max(options.timeoutMicroseconds, microseconds)
        // The store may have lost records since the last look. The fullest ones are put back first.
        for account in copies(where: { isShared && !servers[$0.server].isDown }).reversed() { compare(account) }
        if let living {
            living.counter.settle(1, used: nil, in: .nowhere, at: now.wall)
            scheduleWrite(living.account, now)
        }
        if let shareRecord {
            shareRecord.counter.hold(0)
            scheduleWrite(shareRecord.account, now)
        }
        var all: [Account] = []
        accounts.forEach { all.append($0) }
        for account in all {
            account.counter.close(at: now.wall)
            scheduleWrite(account, now)
        }
    }
}

/// The losses of a server of the store: a restart and a flush are noticed, and what this instance knew is written back.
/// A slow sweep finds single records that the server evicted.
extension Ledger {
    /// The number of accounts that a sweep adds to the lanes' work at a time, and the time to the next ones in
    /// microseconds: after a loss few at a time, because requests wait for their store calls, and at most 500 a second.
    private static let sweepStep = (accounts: 5, microseconds: 10_000)
    /// The step of a slow sweep, which makes one call a second.
    private static let slowStep = (accounts: 50, microseconds: 1_000_000)
    /// The time from the start of a slow sweep to the next one, in microseconds. It doubles each time that records were
    /// missing, because a server that is too small would evict others for each one that is put back.
    private static let slowSweepMicroseconds = 60_000_000
    private static let slowestSweepMicroseconds = 3_600_000_000

    /// Returns whether the lane must read the state of its server now.
    func isLookDue(_ lane: Int, _ now: ClockReading) -> Bool {
        guard lanes[lane].isFirst else { return false }
        let isMeasured = !isClockReference(lane) || now.steady < clock.measureAt
        return !isMeasured || now.steady >= servers[lanes[lane].server].lookAt
    }

    /// Returns the monotonic time at which a first lane looks at its server, or continues a sweep.
    func nextLook(_ lane: Int) -> Int {
        let server = servers[lanes[lane].server]
        let measureAt = isClockReference(lane) ? clock.measureAt : .max
        return min(server.lookAt, measureAt, server.sweep.isEmpty ? .max : server.sweepAt)
    }

    /// Handles a reading of a server's state, whose call began at the monotonic time `began`.
    mutating func saw(_ state: StoreState, _ lane: Int, _ began: Int, _ now: ClockReading) {
        let server = lanes[lane].server
        if isClockReference(lane), now.steady >= clock.measureAt {
            measured(state.seconds, took: now.steady - began, now)
        }
        servers[server].lookAt = now.steady + Self.probeMicroseconds
        let known = servers[server].life
        servers[server].life = state.life
        guard let known, known != state.life else { return sweepSlowly(server, now) }
        servers[server].hasLost = true
        servers[server].sweep = copies { $0.server == server }
        outbox.events.append(.recordsLost(server: servers[server].name, copies: servers[server].sweep.count))
        outbox.lanes.append(server * options.loops)
    }

    /// Begins a slow sweep if no sweep is under way and the last one is long enough ago.
    private mutating func sweepSlowly(_ server: Int, _ now: ClockReading) {
        guard servers[server].sweep.isEmpty, now.steady >= servers[server].slowSweepAt else { return }
        let isFirst = servers[server].slowSweepAt == 0
        let pause = isFirst || sums.rejoined == servers[server].rejoined ? 0 : 2 * servers[server].slowSweepPause
        servers[server].slowSweepPause = min(max(pause, Self.slowSweepMicroseconds), Self.slowestSweepMicroseconds)
        servers[server].slowSweepAt = now.steady + servers[server].slowSweepPause
        servers[server].rejoined = sums.rejoined
        servers[server].hasLost = false
        if !isFirst { servers[server].sweep = copies { $0.server == server } }
    }

    /// Returns the accounts that know a record of the store, the fullest ones last.
    func copies(where isMeant: (Account) -> Bool) -> [Account] {
        var all: [(account: Account, share: Double)] = []
        accounts.forEach { account in
            guard isMeant(account), account.limit.kind != .provider, let counter = account.counter as? WindowCounter,
                counter.isCopy
            else { return }
            all.append((account, Double(counter.record.total) / Double(account.limit.quota.count)))
        }
        return all.sorted { $0.share < $1.share }.map(\.account)
    }

    /// Lets the lanes read the next records of a sweep. Each one that the server lacks is then written.
    mutating func sweep(_ server: Int, _ now: ClockReading) {
        guard !servers[server].sweep.isEmpty, now.steady >= servers[server].sweepAt else { return }
        let step = servers[server].hasLost ? Self.sweepStep : Self.slowStep
        servers[server].sweepAt = now.steady + step.microseconds
        for _ in 0..<step.accounts {
            guard let account = servers[server].sweep.popLast() else { return }
            compare(account)
        }
    }

    /// Lets a lane read the account's record, and write what it lacks. An account in use is read and written anyway.
    mutating func compare(_ account: Account) {
        guard account.state == .idle else { return }
        account.isCompared = true
        account.fresh = .nothing
        enqueue(account)
    }
}

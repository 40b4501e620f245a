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
                account.counter.unknown()
                parts += plan.takers + plan.refused
            }
            account.fresh = .nothing
            account.state = .idle
            account.losses = 0
            account.notBefore = 0
            parts += account.waiting
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
    mutating func close(at now: ClockReading) {
        let now = read(now)
        stopBy = now.steady + options.timeoutMicroseconds
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

/// What a lane is busy with: calls for a batch of accounts, in the order of their store keys.
enum Round {
    case none
    /// Looks whether the server can be reached.
    case probe
    /// `unread` is nil once they have been read; `isAnew` if by a second connection.
    case serve(Serving)

    struct Serving {
        let accounts: [Account]
        let epoch: Int
        /// What is to be read first.
        var unread: [Account]
        var isReadAnew = false
        /// Read, but with a record of which only the store's clock tells whether it is too far ahead.
        var doubtful: [Found] = []
        /// The account whose write is next.
        var next = 0
        var plan: WritePlan?
    }
}

/// What the lanes' threads ask and tell.
extension Ledger {
    enum Step {
        case stop
        /// Nothing to do until this time (steady), or until woken.
        case wait(until: Int?)
        /// To be done without the lock; the outcome is what `take` takes.
        case call(StoreCall)
    }

    static let probeMicroseconds = 1_000_000
    /// Records of one multi-get.
    static let batchBound = 128

    /// What the lane does next. Not while a call of it is under way.
    mutating func step(_ lane: Int, at now: Moment) -> Step {
        while true {
            switch lanes[lane].round {
            case .none: if let idle = begin(lane, at: now) { return idle }
            case .probe: return call(.connect, lane, now)
            case .serve(var serving):
                let next = nextCall(&serving, lane, now)
                lanes[lane].round = next == nil ? .none : .serve(serving)
                if let next { return call(next, lane, now) }
                for account in serving.accounts { release(account, epoch: serving.epoch) }
            }
        }
    }

    private mutating func call(_ call: StoreCall, _ lane: Int, _ now: Moment) -> Step {
        lanes[lane].callSince = now.steady
        return .call(call)
    }

    /// Begins a round, or says why there is none.
    private mutating func begin(_ lane: Int, at now: Moment) -> Step? {
        if isStopping { return .stop }
        let server = servers[lanes[lane].server]
        if server.isDown {
            guard lanes[lane].isFirst else { return .wait(until: nil) }
            guard now.steady >= server.probeAt else { return .wait(until: server.probeAt) }
            lanes[lane].round = .probe
            return nil
        }
        var batch: [Account] = []
        var rest: [Account] = []
        for account in lanes[lane].inbox {
            if account.notBefore <= now.steady, batch.count < Self.batchBound {
                account.state = .busy
                batch.append(account)
            } else {
                rest.append(account)
            }
        }
        lanes[lane].inbox = rest
        if batch.isEmpty {
            // So that an unreachable store is known before the first request.
            guard lanes[lane].isFirst, lanes[lane].connectedEpoch == nil else {
                return .wait(until: rest.map(\.notBefore).min())
            }
        } else if batch.count > 1 {
            batch.sort { $0.storeKey < $1.storeKey }
        }
        lanes[lane].round = .serve(
            Round.Serving(accounts: batch, epoch: server.epoch, unread: batch.filter(\.needsRead))
        )
        return nil
    }

    /// nil: the round is over.
    private mutating func nextCall(_ serving: inout Round.Serving, _ lane: Int, _ now: Moment) -> StoreCall? {
        guard servers[lanes[lane].server].epoch == serving.epoch else { return nil }
        if lanes[lane].connectedEpoch != serving.epoch { return .connect }
        if !serving.doubtful.isEmpty { return .time }
        if !serving.unread.isEmpty { return .read(serving.unread) }
        while serving.next < serving.accounts.count {
            let account = serving.accounts[serving.next]
            if let plan = plan(account, epoch: serving.epoch, at: now) {
                serving.plan = plan
                return .write(plan)
            }
            serving.next += 1
        }
        return nil
    }

    /// Takes over what a call came back with.
    mutating func take(_ outcome: Result<StoreReply, StoreFailure>, _ lane: Int, at now: Moment) {
        let began = lanes[lane].callSince ?? now.steady
        lanes[lane].callSince = nil
        let round = lanes[lane].round
        switch (round, outcome) {
        case (.none, _): return
        case (.probe, let outcome):
            lanes[lane].round = .none
            metrics.probes += 1
            if case .success = outcome {
                restore(lanes[lane].server, at: now)
                lanes[lane].connectedEpoch = servers[lanes[lane].server].epoch
            } else {
                lanes[lane].connectedEpoch = nil
                probeFailed(lanes[lane].server, at: now)
            }
        case (.serve(var serving), .success(let reply)):
            take(reply, &serving, lane, now)
            lanes[lane].round = .serve(serving)
        case (.serve(var serving), .failure(let failure)):
            lanes[lane].connectedEpoch = nil
            // A kept connection may have been closed while it was idle: that is seen at once, and tried with a new one.
            let isEarly = now.steady - began < timeoutMicroseconds / 2
            if !serving.unread.isEmpty, serving.doubtful.isEmpty, !serving.isReadAnew, isEarly {
                serving.isReadAnew = true
                lanes[lane].round = .serve(serving)
                return
            }
            fail(lanes[lane].server, epoch: serving.epoch, failure.reason, at: now)
            lanes[lane].round = .serve(serving)
        }
    }

    private mutating func take(_ reply: StoreReply, _ serving: inout Round.Serving, _ lane: Int, _ now: Moment) {
        switch reply {
        case .connected: lanes[lane].connectedEpoch = serving.epoch
        case .found(let found):
            metrics.reads += 1
            metrics.readRecords += found.count
            let isDoubtful = found.contains { found in
                if case .record(let record, _) = found { record.isTooFarAhead(of: now.wall) } else { false }
            }
            if isDoubtful {
                serving.doubtful = found
            } else {
                absorb(found, &serving, now)
            }
        case .time(let seconds):
            // The store's seconds may be late by one and a half.
            let storeTime = seconds * 1_000_000 + 1_500_000
            let found = serving.doubtful.map { found in
                guard case .record(let record, let version) = found, record.isTooFarAhead(of: now.wall),
                    record.isTooFarAhead(of: storeTime)
                else { return found }
                return Found.broken(version, reason: "time")
            }
            serving.doubtful = []
            absorb(found, &serving, now)
        case .wrote(let result):
            if let plan = serving.plan { wrote(plan, serving.accounts[serving.next], result, at: now) }
            serving.plan = nil
            serving.next += 1
        }
    }

    private mutating func absorb(_ found: [Found], _ serving: inout Round.Serving, _ now: Moment) {
        for (account, found) in zip(serving.unread, found) { absorb(found, account, epoch: serving.epoch, at: now) }
        serving.unread = []
    }

    /// Takes over what was read, joining what was known before where the record was lost meanwhile.
    mutating func absorb(_ found: Found, _ account: Account, epoch: Int, at now: Moment) {
        guard servers[account.server].epoch == epoch else { return }
        var birth = random.next()
        switch found {
        case .absent: account.fresh = .absent
        case .broken(let version, let reason):
            account.fresh = .version(version)
            outbox.events.append(.brokenRecord(key: account.storeKey, reason: reason))
        case .record(let record, let version):
            account.fresh = .version(version)
            birth = record.birth
        }
        if account.isKnown, account.record.birth != birth {
            if account.unmerged == nil {
                account.unmerged = account.record
            } else {
                account.unmerged?.join(account.record)
            }
        }
        if case .record(let record, _) = found {
            account.record = record
        } else {
            account.record = Record(account.limit.grid, at: now.wall, birth: birth)
        }
        account.isKnown = true
        account.unmerged?.roll(to: now.wall)
        if account.unmerged?.total == 0 { account.unmerged = nil }
        if let unmerged = account.unmerged { account.record.join(unmerged) }
        for part in account.waiting where part.request.decision == nil {
            guard part.request.parts[part.index].state == .unread else { continue }
            part.request.parts[part.index].state = .seen
            part.request.unread -= 1
            if part.request.unread == 0 { begin(part.request, now) }
        }
    }

    /// The write that is to be done now: all that waits and is next to be counted in this record.
    mutating func plan(_ account: Account, epoch: Int, at now: Moment) -> WritePlan? {
        guard servers[account.server].epoch == epoch else { return nil }
        if case .nothing = account.fresh { return nil }
        var record = account.record
        record.roll(to: now.wall)
        var isChanged = account.unmerged != nil || account.owed != nil || !account.returns.isEmpty
        for back in account.returns { record.giveBack(back.units, in: back.bucket) }
        if let owed = account.owed { record.add(owed) }
        var (takers, refused, rest): ([Part], [Part], [Part]) = ([], [], [])
        for part in account.waiting where part.request.decision == nil {
            guard part.isNext else {
                rest.append(part)
                continue
            }
            let share = part.request.parts[part.index]
            var part = part
            if case .late(let bucket) = share.state {
                record.giveBack(share.units, in: bucket)
                part.from = bucket
                isChanged = true
            }
            part.request.parts[part.index].state = .writing
            if record.admit(share.units, of: account.limit.quota.count) {
                takers.append(part)
            } else {
                refused.append(part)
            }
        }
        account.waiting = rest
        guard isChanged || !takers.isEmpty else {
            account.record = record
            for part in refused { refuse(part.request, now) }
            return nil
        }
        let plan = WritePlan(
            account,
            record: record,
            fresh: account.fresh,
            epoch: epoch,
            takers: takers,
            refused: refused,
            owed: account.owed,
            returns: account.returns
        )
        account.owed = nil
        account.returns = []
        account.fresh = .nothing
        account.writing = plan
        return plan
    }

    mutating func wrote(_ plan: WritePlan, _ account: Account, _ result: WriteResult, at now: Moment) {
        guard account.writing === plan else { return }  // judged by `fail` already
        account.writing = nil
        switch result {
        case .written:
            metrics.writes += 1
            account.record = plan.record
            account.unmerged = nil
            account.losses = 0
            for part in plan.takers { count(part, in: plan.record.newest, now) }
            for part in plan.refused where part.request.decision == nil {
                part.request.parts[part.index].state = .seen
                refuse(part.request, now)
            }
        case .lost:
            metrics.lostRaces += 1
            account.owe(plan.owed)
            account.returns = plan.returns + account.returns
            account.waiting = restored(plan) + account.waiting
            account.losses += 1
            if account.losses > 2 {
                let pause = Int(random.next() % UInt64(1_000 * min(account.losses, 20)))
                account.notBefore = now.steady + pause
            }
        case .refused:
            metrics.refusedWrites += 1
            account.owe(plan.owed)
            account.returns = plan.returns + account.returns
            account.ruleUntil = now.steady + Self.probeMicroseconds
            account.notBefore = account.ruleUntil
            let parts = restored(plan) + account.waiting
            account.waiting = []
            for part in parts { makeLocal(part) }
            for part in parts { advance(part.request, now) }
        }
    }

    /// The parts of a write that certainly was not done, as they were before.
    private mutating func restored(_ plan: WritePlan) -> [Part] {
        var parts: [Part] = []
        for part in plan.takers + plan.refused {
            let share = part.request.parts[part.index]
            if part.request.decision == nil {
                part.request.parts[part.index].state = part.from.map { .late(bucket: $0) } ?? .seen
                parts.append(Part(request: part.request, index: part.index))
            } else if let bucket = part.from {
                giveBack(share.units, bucket, share.account)
            }
        }
        return parts
    }

    /// The part was counted by a write that succeeded.
    private mutating func count(_ part: Part, in bucket: Int, _ now: Moment) {
        guard part.request.decision == nil else {  // decided without it meanwhile
            return giveBack(part.request.parts[part.index].units, bucket, part.request.parts[part.index].account)
        }
        part.request.parts[part.index].state = .taken(bucket: bucket)
        advance(part.request, now)
    }

    private mutating func makeLocal(_ part: Part) {
        guard part.request.decision == nil else { return }
        let share = part.request.parts[part.index]
        switch share.state {
        case .local: return
        case .unread: part.request.unread -= 1
        case .late(let bucket), .taken(let bucket): giveBack(share.units, bucket, share.account)
        case .seen, .writing: break
        }
        part.request.parts[part.index].state = .local
    }

    /// The lane is done with the account for now.
    mutating func release(_ account: Account, epoch: Int) {
        guard servers[account.server].epoch == epoch, account.state == .busy else { return }
        account.state = .idle
        account.waiting.removeAll { $0.request.decision != nil }
        if account.hasWork {
            enqueue(account)
        } else if account.waiting.isEmpty {
            servers[account.server].active[account.key] = nil
        }
    }

    // MARK: Failure and return of a server

    /// Nothing that was under way is used; a write that took units may have happened, and so may one that gave some
    /// back, which is therefore not repeated; what is owed is.
    mutating func fail(_ server: Int, epoch: Int, _ reason: String, at now: Moment) {
        guard servers[server].epoch == epoch, !servers[server].isDown else { return }
        servers[server].isDown = true
        servers[server].downSince = now.steady
        servers[server].probeAt = now.steady + Self.probeMicroseconds
        servers[server].epoch += 1
        metrics.failures += 1
        outbox.events.append(.storeDown(server: servers[server].name, reason: reason))
        for lane in lanes.indices where lanes[lane].server == server {
            lanes[lane].inbox = []
            if lanes[lane].isFirst { outbox.lanes.append(lane) }
        }
        let accounts = servers[server].active.values
        servers[server].active = [:]
        var parts: [Part] = []
        for account in accounts {
            if let plan = account.writing {
                account.writing = nil
                account.owe(plan.owed)
                parts += plan.takers + plan.refused
            }
            account.fresh = .nothing
            account.state = .idle
            account.losses = 0
            account.notBefore = 0
            parts += account.waiting
            account.waiting = []
            if account.owed != nil || !account.returns.isEmpty { servers[server].owing[account.key] = account }
        }
        for part in parts { makeLocal(part) }
        for part in parts { advance(part.request, now) }
    }

    /// A probe was answered.
    mutating func restore(_ server: Int, at now: Moment) {
        guard servers[server].isDown else { return }
        servers[server].isDown = false
        let seconds = (now.steady - servers[server].downSince) / 1_000_000
        metrics.downSeconds += seconds
        outbox.events.append(.storeBack(server: servers[server].name, seconds: seconds))
        let owing = servers[server].owing.values
        servers[server].owing = [:]
        for account in owing { enqueue(account) }
        for lane in lanes.indices where lanes[lane].server == server { outbox.lanes.append(lane) }
    }

    mutating func probeFailed(_ server: Int, at now: Moment) {
        servers[server].probeAt = now.steady + Self.probeMicroseconds
    }
}

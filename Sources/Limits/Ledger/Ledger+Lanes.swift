/// The choice of the lanes' store calls, and the handling of the calls' outcomes. A lane is the thread and the
/// connection for one server of the store.
extension Ledger {
    /// The next step of a lane, which makes the ledger's calls to one server of the store.
    enum Step {
        case stop
        /// Wait until this monotonic time or until the lane is woken. If the time is nil, wait until the lane is woken.
        case wait(until: Int?)
        /// Make this call to the store without the ledger's lock. Pass the outcome to `receive`.
        case call(StoreCall)
    }

    static let probeMicroseconds = 1_000_000
    /// The maximum number of accounts whose records a lane reads in one call to the store.
    static let batchBound = 128

    /// Returns the next step of a lane. Do not call this function while the lane makes a call to the store.
    mutating func step(_ lane: Int, at now: ClockReading) -> Step {
        let now = read(now)
        while true {
            switch lanes[lane].round {
            case .none: if let idle = beginRound(lane, now) { return idle }
            case .probe: return call(.connect, lane, now: now)
            case .measure(let epoch):
                guard servers[lanes[lane].server].epoch == epoch else {
                    lanes[lane].round = .none
                    continue
                }
                return call(lanes[lane].connectedEpoch == epoch ? .state : .connect, lane, now: now)
            case .serve(let serving):
                if let next = nextCall(serving, lane, now: now) { return call(next, lane, now: now) }
                lanes[lane].round = .none
                for account in serving.accounts { release(account, epoch: serving.epoch, now) }
            }
        }
    }

    private mutating func call(_ call: StoreCall, _ lane: Int, now: ClockReading) -> Step {
        lanes[lane].callSince = now.steady
        return .call(call)
    }

    /// Begins a lane's next round (a series of store calls). Returns nil if a round began; otherwise the step to wait
    /// or stop.
    private mutating func beginRound(_ lane: Int, _ now: ClockReading) -> Step? {
        let server = lanes[lane].server
        if let stopBy, servers[server].isDown || now.steady >= stopBy || lanes[lane].inbox.isEmpty { return .stop }
        if servers[server].isDown {
            guard lanes[lane].isFirst else { return .wait(until: nil) }
            let probeAt = servers[server].probeAt
            guard now.steady >= probeAt else { return .wait(until: probeAt) }
            lanes[lane].round = .probe
            return nil
        }
        while let account = lanes[lane].due.next(by: now.steady) {
            wakeSleepers(account, now)
            if account.waiting.isEmpty, !account.isLooking { scheduleWrite(account, now) } else { enqueue(account) }
            let isForOther = account.state == .idle && schedule(account, now) && account.lane != lane
            if isForOther { outbox.lanes.append(account.lane) }
        }
        if isLookDue(lane, now) {
            lanes[lane].round = .measure(epoch: servers[server].epoch)
            return nil
        }
        if lanes[lane].isFirst { sweep(server, now) }
        let batch = nextBatch(lane, now)
        if batch.isEmpty, let idle = beginWatch(lane, now) { return idle }
        if !batch.isEmpty {
            let epoch = servers[server].epoch
            var unread: [Account] = []
            for account in batch where account.needsRead {
                if !useKnownVersion(account, lane: lane, epoch: epoch, at: now) { unread.append(account) }
            }
            lanes[lane].round = .serve(Round.Serving(batch, unread: unread, epoch: epoch))
        }
        return nil
    }

    private mutating func nextBatch(_ lane: Int, _ now: ClockReading) -> [Account] {
        var batch: [Account] = []
        swap(&batch, &lanes[lane].inbox)
        var count = 0
        var rest: [Account] = []
        let isUnsure = clock.isUnsure  // read once: inside the closure, each read would copy the ledger
        batch.removeAll { account in
            let isHeld = isUnsure && isHeldBack(account)
            if !isHeld, account.notBefore > now.steady {
                account.state = .idle
                lanes[lane].due.put(account, at: account.notBefore)
                return true
            }
            if isHeld || count == Self.batchBound {
                rest.append(account)
                return true
            }
            account.state = .busy
            count += 1
            return false
        }
        lanes[lane].inbox = rest
        if count > 1 { batch.sort { $0.storeKey < $1.storeKey } }
        return batch
    }

    /// Returns whether the account must wait until the machine's clock is verified.
    private func isHeldBack(_ account: Account) -> Bool {
        clock.isUnsure && !(clock.isMeasured && account === living?.account)
    }

    /// Begins a round (a series of store calls) that connects an idle lane to its server. Returns nil if the round
    /// began; otherwise the step to wait.
    private mutating func beginWatch(_ lane: Int, _ now: ClockReading) -> Step? {
        let (own, due) = (lanes[lane].server, lanes[lane].due.soonest)
        guard lanes[lane].isFirst else { return .wait(until: due) }
        if lanes[lane].connectedEpoch == nil {
            lanes[lane].round = .measure(epoch: servers[own].epoch)
            return nil
        }
        return .wait(until: min(due ?? .max, nextLook(lane)))
    }

    /// Returns the next store call of a round that reads and writes accounts' records; nil if the round is over.
    private mutating func nextCall(_ serving: Round.Serving, _ lane: Int, now: ClockReading) -> StoreCall? {
        guard servers[lanes[lane].server].epoch == serving.epoch else { return nil }
        if lanes[lane].connectedEpoch != serving.epoch { return .connect }
        if !serving.doubtful.isEmpty { return .state }
        let roundTrip = lanes[lane].roundTrip
        for account in serving.accounts where !isHeldBack(account) && !isWrittenAfter(account, serving) {
            if serving.reread.contains(where: { $0 === account }) { continue }
            // A contended record would be outdated once the others were read.
            let isReady =
                serving.unread.isEmpty
                || Self.isContended(account, roundTrip: roundTrip, now) && serving.isRead(account)
            guard isReady, let plan = plan(account, epoch: serving.epoch, at: now) else { continue }
            serving.writing.append(plan)
        }
        if serving.writing.isEmpty { return serving.unread.isEmpty ? nil : .read(serving.unread) }
        serving.contended = serving.writing.compactMap {
            Self.isContended($0.account, roundTrip: roundTrip, now) ? $0.account : nil
        }
        return .write(serving.writing, thenRead: serving.contended + serving.unread)
    }

    /// Returns whether the account's write must wait, because a planned write of another account counts one of its
    /// requests first.
    private func isWrittenAfter(_ account: Account, _ serving: Round.Serving) -> Bool {
        if serving.writing.isEmpty { return false }
        return account.waiting.contains { part in
            guard part.request.decision == nil, part.request.unread == 0, let next = part.request.firstOpen,
                next != part.index
            else { return false }
            let other = part.request.parts[next].account
            return serving.writing.contains { $0.account === other }
        }
    }

    /// Handles the outcome of a lane's call to the store.
    mutating func receive(_ outcome: Result<StoreResult, StoreFailure>, lane: Int, at now: ClockReading) {
        let now = read(now)
        let began = lanes[lane].callSince ?? now.steady
        lanes[lane].callSince = nil
        // A kept connection may have been closed while it was idle. Such a call fails at once and is tried again.
        let mayBeIdle = lanes[lane].connectedEpoch != nil && now.steady - began < options.timeoutMicroseconds / 2
        switch outcome {
        case .success:
            lanes[lane].heardAt = now.steady
            let took = max(0, now.steady - began)
            lanes[lane].roundTrip += (took - lanes[lane].roundTrip) / 8
            let isSlow = Self.isSlow(lanes[lane].roundTrip)
            servers[lanes[lane].server].calls.record(took, isSlow: isSlow, at: now.steady)
        case .failure: lanes[lane].connectedEpoch = nil
        }
        switch lanes[lane].round {
        case .none: break
        case .probe: probed(outcome, began, lane: lane, now: now)
        case .measure: if case .failure = outcome, mayBeIdle { break } else { measured(outcome, lane, began, now: now) }
        case .serve(let serving):
            switch outcome {
            case .success(let result): receive(result, serving: serving, lane: lane, now)
            case .failure(let failure):
                let isReading = !serving.unread.isEmpty && serving.doubtful.isEmpty && serving.writing.isEmpty
                if isReading, mayBeIdle, !serving.isReadAnew {
                    serving.isReadAnew = true
                } else {
                    fail(lanes[lane].server, epoch: serving.epoch, failure.reason, at: now)
                }
            }
        }
    }

    /// Handles the loss of the lane's connection while no call was under way.
    mutating func disconnected(_ lane: Int) { lanes[lane].connectedEpoch = nil }

    private mutating func probed(
        _ outcome: Result<StoreResult, StoreFailure>,
        _ began: Int,
        lane: Int,
        now: ClockReading
    ) {
        let server = lanes[lane].server
        lanes[lane].round = .none
        metrics.probes += 1
        guard case .success = outcome else {
            servers[server].probeAt = now.steady + Self.probeMicroseconds
            return
        }
        lanes[lane].connectedEpoch = servers[server].epoch
        restore(server, at: now)
        if case .success(.connected(let state)) = outcome { saw(state, lane, began, now) }
    }

    private mutating func measured(
        _ outcome: Result<StoreResult, StoreFailure>,
        _ lane: Int,
        _ began: Int,
        now: ClockReading
    ) {
        guard case .measure(let epoch) = lanes[lane].round else { return }
        switch outcome {
        case .failure(let failure):
            lanes[lane].round = .none
            fail(lanes[lane].server, epoch: epoch, failure.reason, at: now)
        case .success(.state(let state)):
            lanes[lane].round = .none
            metrics.probes += 1
            saw(state, lane, began, now)
        case .success(.connected(let state)):
            lanes[lane].round = .none
            guard servers[lanes[lane].server].epoch == epoch else { return }
            lanes[lane].connectedEpoch = epoch
            saw(state, lane, began, now)
        case .success: lanes[lane].round = .none
        }
    }

    private mutating func receive(_ result: StoreResult, serving: Round.Serving, lane: Int, _ now: ClockReading) {
        switch result {
        case .connected: lanes[lane].connectedEpoch = serving.epoch
        case .found(let found):
            metrics.reads += 1
            metrics.readRecords += found.count
            read(found, serving, now: now)
        case .state(let state):
            // The store's seconds may be late by one and a half.
            let storeTime = state.seconds * 1_000_000 + 1_500_000
            let found = serving.doubtful.map { found in
                guard case .record(let record, let version, _) = found, found.isTooFarAhead(of: now.wall),
                    found.isTooFarAhead(of: storeTime)
                else { return found }
                return .ahead(record, version)
            }
            serving.doubtful = []
            absorb(found, serving, now: now)
        case .wrote(let results, let found):
            for (plan, result) in zip(serving.writing, results) { wrote(plan, result, at: now) }
            metrics.readRecords += found.count
            let lost = zip(serving.writing, results).filter { $1 == .lost }.map(\.0.account)
            for (account, found) in zip(serving.contended, found) where lost.contains(where: { $0 === account }) {
                if found.isTooFarAhead(of: now.wall) { continue }
                absorb(found, account, epoch: serving.epoch, at: now)
            }
            serving.writing = []
            if serving.unread.isEmpty {
                serving.reread += serving.contended
            } else {
                read(Array(found.dropFirst(serving.contended.count)), serving, now: now)
            }
        }
    }

    private mutating func read(_ found: [FoundRecord], _ serving: Round.Serving, now: ClockReading) {
        let isDoubtful = found.contains { $0.isTooFarAhead(of: now.wall) }
        if isDoubtful { serving.doubtful = found } else { absorb(found, serving, now: now) }
    }

    private mutating func absorb(_ found: [FoundRecord], _ serving: Round.Serving, now: ClockReading) {
        for (account, found) in zip(serving.unread, found) { absorb(found, account, epoch: serving.epoch, at: now) }
        serving.unread = []
    }

    /// Ends a lane's work on the account. Queues the account again if more work remains.
    private mutating func release(_ account: Account, epoch: Int, _ now: ClockReading) {
        guard servers[account.server].epoch == epoch, account.state == .busy else { return }
        account.state = .idle
        account.waiting.removeAll { $0.request.decision != nil }
        if account.hasWork(at: now.wall) {
            enqueue(account)
        } else if account.waiting.isEmpty, account.slotQueue.isEmpty {
            servers[account.server].active[ObjectIdentifier(account)] = nil
        }
        schedule(account, now)
    }

    /// Queues the account for the time of its next delayed write or turn, unless it is queued for an earlier time. Returns
    /// whether it was queued; if so, its lane must be woken.
    @discardableResult
    mutating func schedule(_ account: Account, _ now: ClockReading) -> Bool {
        guard let wall = account.dueTime else { return false }
        let time = now.steady + max(0, wall - now.wall)
        if let due = account.due, due <= time { return false }
        lanes[account.lane].due.put(account, at: time)
        return true
    }
}

package import Engine

/// The limiter of a process, which decides whether the limits admit a request. With a store, all instances count
/// together.
package final class Limiter: Sendable {
    let ledger: SharedLedger
    private let loops: [EventLoop]
    private let timeoutMicroseconds: Int
    private let isShared: Bool
    package let averages: RecentUsageAverages

    /// - Parameters:
    ///   - store: the shared store; nil counts in this process alone.
    ///   - loops: the event loops of requests. They must run until `stop` has returned. Can be empty without a store.
    ///   - onEvent: called on any thread.
    package init(
        store: (any CounterStore)?,
        _ options: LimiterOptions = .standard,
        on loops: [EventLoop] = [],
        clock: LimitClock? = nil,
        onEvent: @escaping @Sendable (LimiterEvent) -> Void = { _ in }
    ) {
        var options = options
        options.loops = max(1, loops.count)
        let timeoutMicroseconds = options.timeoutMicroseconds
        // Averages are not limits: nothing depends on which clock they use.
        let wall = clock ?? .system
        averages = RecentUsageAverages { wall.now().wall }
        let ledger = SharedLedger(
            lock: Lock(Ledger(store: store, options: options, random: RandomBytes())),
            clock: clock ?? (store == nil ? .embedded() : .system),
            dispatcher: Dispatcher(onEvent: onEvent)
        )
        self.ledger = ledger
        isShared = store != nil
        self.timeoutMicroseconds = timeoutMicroseconds
        self.loops = loops
        guard let store else { return }
        precondition(!loops.isEmpty, "the store's connections need a loop")
        let servers = ledger.lock.withLock { $0.lanes.map(\.server) }
        let lanes = servers.enumerated().map { lane, server in
            CounterLane(
                lane,
                server,
                of: store,
                ledger,
                on: loops[lane % loops.count],
                timeoutMicroseconds: timeoutMicroseconds
            )
        }
        ledger.dispatcher.begin(lanes)
    }

    /// Waits until the machine's clock is verified or the store is known to be unavailable. Blocks for at most one
    /// call's time-out. Call this function before the first request.
    package func prepare() {
        guard isShared else { return }
        ledger.dispatcher.ready.wait(until: ledger.clock.alarm(ledger.clock.now().steady + timeoutMicroseconds))
    }

    /// Decides about a request. The request counts in the limits of all charges or in none. Call this function on the
    /// thread of `loop`. The function suspends only to wait for the store, or for the request's turn.
    /// - Parameters:
    ///   - patience: how long the request may wait for its turn, until its task is cancelled; nil to decide at once.
    ///   - wait: the wait by which the request's limits can change meanwhile; nil if they cannot.
    package func reserve(
        _ charges: [LimitCharge],
        _ patience: LimitPatience? = nil,
        as wait: LoopWait? = nil,
        on loop: EventLoop
    ) async -> Reservation {
        Reservation(await decision(charges, patience, wait, loop), self)
    }

    /// Admits or refuses a request without suspending; the result says which. Returns nil if there is a store, or if a
    /// patient request must wait; then call `reserve`.
    package func reserveInMemory(_ charges: [LimitCharge], isPatient: Bool = false) -> Reservation? {
        guard !isShared else { return nil }
        let decided: Decision? = ledger.lock.withLock { ledger in
            let now = self.ledger.clock.now()
            return isPatient && ledger.isFull(charges, now) ? nil : ledger.decideInMemory(charges, now)
        }
        guard let decision = decided else { return nil }
        // A refusal can report that a budget is used up.
        if !decision.isAdmitted { ledger.update { _, _ in } }
        return Reservation(decision, self)
    }

    /// Returns a reservation that admits a request, because no limit covers the request.
    package func admitUncovered() -> Reservation { Reservation(Decision(.admitted), self) }

    /// Returns a refusal if one of the charges' limits is known to be full; nil if `reserve` must decide. Counts no
    /// units.
    package func knownRefusal(_ charges: [LimitCharge]) -> Decision? {
        ledger.update { $0.knownRefusal(charges, at: $1) }
    }

    /// Returns whether at least one of the charges' limits is known to be full.
    package func isKnownFull(_ charges: [LimitCharge]) -> Bool { ledger.update { $0.isKnownFull(charges, at: $1) } }

    /// Returns the used fraction of the fullest limit among the charges, as far as this instance knows.
    package func knownShare(_ charges: [LimitCharge]) -> Double { ledger.update { $0.knownShare(charges, at: $1) } }

    /// Returns how many units of each charge's limit all instances have used, at most the limit. Counts no new units.
    package func used(_ charges: [LimitCharge], on loop: EventLoop) async -> [Int] {
        let looks = charges.map { LimitCharge($0.limit, $0.identity, units: 0) }
        if !looks.isEmpty { _ = await reserve(looks, on: loop) }
        return ledger.update { $0.used(looks, at: $1) }
    }

    /// Puts the records of these limits, at most of the first thousand, back into the store if it has none and the
    /// database keeps copies.
    package func restore(_ charges: [LimitCharge], on loop: EventLoop) async {
        guard ledger.update({ ledger, _ in ledger.copies != nil }) else { return }
        let kept = charges.lazy.filter(\.limit.isCopied).prefix(Self.restoreBound)
        var rest = Array(kept)[...]
        while !rest.isEmpty {
            _ = await used(Array(rest.prefix(Self.restoreStep)), on: loop)
            rest = rest.dropFirst(Self.restoreStep)
        }
    }

    /// The largest number of records that `restore` looks for, and how many at once.
    private static let (restoreBound, restoreStep) = (1_000, 100)

    private func decision(
        _ charges: [LimitCharge],
        _ patience: LimitPatience?,
        _ wait: LoopWait?,
        _ loop: EventLoop
    ) async -> Decision {
        let index = index(of: loop)
        switch ledger.update({ $0.ask(charges, patience, from: index, at: $1) { wait ?? LoopWait(loop) } }) {
        case .decided(let decision): return decision
        case .waits(let request):
            guard let wait = request.waiter as? LoopWait else { preconditionFailure("another waiter") }
            wait.request = request
            // The other loops may change the request as soon as the ledger is free.
            let deadline = ledger.clock.alarm(ledger.lock.withLock { _ in request.due })
            defer { wait.request = nil }  // the request refers to its wait
            if patience == nil { return await wait.decision(at: deadline) { self.expire(request) } }
            defer { wait.charges = self.charges(of: wait) ?? [] }
            return await withTaskCancellationHandler {
                await wait.decision(at: deadline) { self.expire(request) }
            } onCancel: {
                loop.call { self.ledger.update { _ = $0.leave(request, at: $1) } }
            }
        }
    }

    private func index(of loop: EventLoop) -> Int { loops.firstIndex { $0 === loop } ?? 0 }

    private func expire(_ request: Pending) -> LoopTime? {
        ledger.update { $0.expire(request, at: $1) }.map(ledger.clock.alarm)
    }

    /// Sets the rule and the number of instances for times when the store is unavailable, and how many requests can wait
    /// for their turn.
    package func use(_ rule: StoreDownRule, instances: Int?, maxWaiting: Int) {
        ledger.lock.withLock { ledger in
            ledger.options.storeDown = rule
            ledger.options.instances = instances
            ledger.options.maxWaiting = maxWaiting
        }
    }

    /// Decides anew about waiting requests whose limits have changed, before others are decided.
    package func change(_ requests: [ChangedLimits]) {
        if requests.isEmpty { return }
        ledger.update { $0.change(requests.map { ($0.request, $0.charges, index(of: $0.loop)) }, at: $1) }
    }

    /// Returns the charges of a waiting request's present limits; nil if it does not wait. Call it on the request's event
    /// loop.
    package func charges(of wait: LoopWait) -> [LimitCharge]? {
        wait.request.map { request in ledger.lock.withLock { _ in request.current.charges } }
    }

    /// Refuses a waiting request whose caller is no longer served. Returns false if it is decided already. Call it on the
    /// request's event loop.
    package func end(_ wait: LoopWait) -> Bool {
        guard let request = wait.request else { return false }
        return ledger.update { $0.leave(request, .refused, at: $1) }
    }

    /// Refuses the requests that wait for their turn, because the process is about to end.
    package func endWaits() { ledger.update { $0.endWaits(at: $1) } }

    func settle(_ held: [ReservedUnits], _ used: Amounts?) { ledger.update { $0.settle(held, used, at: $1) } }

    package func metrics() -> LimiterMetrics { ledger.lock.withLock { $0.figures } }

    /// Writes pending changes to the store, and what it lacks, and waits for current store calls. Blocks; the event loops
    /// must still run.
    /// - Parameter milliseconds: the time for it; at least one call's time-out is used.
    package func stop(withinMilliseconds milliseconds: Int = 0) {
        ledger.update { $0.close(within: milliseconds * 1_000, at: $1) }
        ledger.dispatcher.end()
    }

    /// Begins to keep copies of long limits' records in a database. Call this function before the first request.
    /// - Parameter onAsked: called on any thread when `Ledger.takeAsked` has work.
    func keepCopies(onAsked: @escaping @Sendable () -> Void) {
        guard isShared else { return }
        ledger.dispatcher.onCopiesAsked = onAsked
        ledger.update { ledger, _ in ledger.copies = Ledger.Copies() }
    }

    /// A number that changes whenever a counter changes. It shows whether the counters must be saved again.
    var changes: Int { ledger.update { ledger, _ in ledger.changes } }

    /// Sets the counters that an earlier process saved. Each of them is restored when it is first needed.
    func use(_ saved: SavedCounters) {
        // The former table is freed without the lock.
        var other = saved
        ledger.update { ledger, _ in swap(&ledger.saved, &other) }
    }

    /// Calls `body` with a copy of each counter that can be saved for the next process. A counter can be copied twice.
    func copyCounters(_ body: (CounterCopy) -> Void) {
        var scan = CounterScan()
        while let copies = ledger.update({ ledger, _ in scan.next(of: ledger.accounts) }) { copies.forEach(body) }
    }

    /// The current wall-clock time that the limits use, in microseconds.
    var wall: Int { ledger.update { $1.wall } }
}

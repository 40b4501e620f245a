package import Engine

/// Decides about requests; one for the process. With a store, all instances that use it count together.
package final class Limiter: Sendable {
    private let ledger: Lock<Ledger>
    private let threads: [CounterThread]
    private let clock: LimitClock
    private let timeoutMicroseconds: Int
    private let courier: Courier
    private let isShared: Bool
    package let means = UsageMeans()

    /// What records of accounts may take in memory.
    package static let defaultBytes = 64 * 1_048_576

    /// `store` nil: counts in memory, alone. `timeoutMicroseconds`: what a decision may wait for the store. `onEvent`
    /// is called on any thread.
    package init(
        store: (any CounterStore)?,
        rule: StoreDownRule = .local,
        timeoutMicroseconds: Int = 250_000,
        clock: LimitClock = .system,
        bytes: Int = defaultBytes,
        onEvent: @escaping @Sendable (LimiterEvent) -> Void = { _ in }
    ) {
        let lanesPerServer = (store?.servers.count ?? 0) == 1 ? 4 : 2
        let ledger = Lock(
            Ledger(
                store: store,
                rule: rule,
                timeoutMicroseconds: timeoutMicroseconds,
                lanesPerServer: lanesPerServer,
                bytesBound: bytes,
                random: SystemRandomNumberGenerator()
            )
        )
        self.ledger = ledger
        self.clock = clock
        isShared = store != nil
        self.timeoutMicroseconds = timeoutMicroseconds
        courier = Courier(parkings: ledger.withLock { $0.lanes.map { _ in Parking() } }, onEvent: onEvent)
        var threads: [CounterThread] = []
        for lane in courier.parkings.indices {
            guard let store else { break }
            threads.append(
                CounterThread(
                    ledger,
                    lane: lane,
                    server: lane / lanesPerServer,
                    isFirst: lane % lanesPerServer == 0,
                    store: store,
                    clock: clock,
                    timeoutMicroseconds: timeoutMicroseconds,
                    courier: courier
                )
            )
        }
        self.threads = threads
        for thread in threads { thread.start() }
    }

    /// Decides over all limits that cover a request: it counts in all of them or in none. Called on `loop`, and back on
    /// it; suspends only where the store must be asked.
    package func reserve(_ wants: [Want], on loop: EventLoop) async -> Hold {
        Hold(await decision(wants, loop), self)
    }

    /// The same where nothing is shared, and so nothing waited for; nil: use `reserve`.
    package func reserveInMemory(_ wants: [Want]) -> Hold? {
        guard !isShared else { return nil }
        let now = clock.now()
        let decision = ledger.withLock { $0.decideInMemory(wants, now) }
        return Hold(decision, self)
    }

    private func decision(_ wants: [Want], _ loop: EventLoop) async -> Decision {
        let (answer, outbox) = decide(wants, loop)
        switch answer {
        case .decided(let decision):
            if let outbox { courier.deliver(outbox) }
            return decision
        case .waits(let request):
            guard let wait = request.waiter as? LoopWait else { preconditionFailure("another waiter") }
            if let outbox { courier.deliver(outbox) }
            return await wait.decision(afterAtMost: timeoutMicroseconds) { self.expire(request) }
        }
    }

    private func decide(_ wants: [Want], _ loop: EventLoop) -> (Ledger.Answer, Outbox?) {
        let now = clock.now()
        return ledger.withLock { ledger in
            let answer = ledger.ask(wants, at: now) { LoopWait(loop) }
            guard ledger.store != nil else { return (answer, nil) }
            var outbox = Outbox()
            swap(&outbox, &ledger.outbox)
            return (answer, outbox)
        }
    }

    private func expire(_ request: Pending) {
        let now = clock.now()
        var outbox = Outbox()
        ledger.withLock { ledger in
            ledger.expire(request, at: now)
            swap(&outbox, &ledger.outbox)
        }
        courier.deliver(outbox)
    }

    func settle(_ held: [HeldUnits], _ used: Amounts?) {
        let now = clock.now()
        var outbox = Outbox()
        ledger.withLock { ledger in
            for units in held {
                guard let used = used?[units.account.limit.quota.unit] else { continue }
                ledger.settle(units, used: used, at: now)
            }
            swap(&outbox, &ledger.outbox)
        }
        courier.deliver(outbox)
    }

    package func metrics() -> LimiterMetrics {
        ledger.withLock { ledger in
            var metrics = ledger.metrics
            metrics.serversDown = ledger.servers.count { $0.isDown }
            metrics.accounts = ledger.accounts.count
            return metrics
        }
    }

    /// Ends the threads; a call under way is waited for. After the loops have ended.
    package func stop() {
        ledger.withLock { $0.isStopping = true }
        for parking in courier.parkings { parking.wake() }
        for thread in threads { thread.join() }
    }
}

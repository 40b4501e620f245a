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

    /// `store` nil: counts in memory, alone. `instances`: among how many limits are shared out while the store is away;
    /// nil: as many as were alive. `timeoutMicroseconds`: what a decision may wait for the store. `slotSeconds`: how
    /// long a concurrency slot outlives its instance. `onEvent` is called on any thread.
    package init(
        store: (any CounterStore)?,
        rule: StoreDownRule = .share,
        instances: Int? = nil,
        timeoutMicroseconds: Int = 250_000,
        slotSeconds: Int = 30,
        clock: LimitClock? = nil,
        bytes: Int = defaultBytes,
        onEvent: @escaping @Sendable (LimiterEvent) -> Void = { _ in }
    ) {
        let options = Ledger.Options(
            storeDown: rule,
            instances: instances,
            timeoutMicroseconds: timeoutMicroseconds,
            slotMicroseconds: slotSeconds * 1_000_000,
            lanesPerServer: (store?.servers.count ?? 0) == 1 ? 4 : 2,
            bytes: bytes
        )
        let ledger = Lock(Ledger(store: store, options: options, random: RandomBytes()))
        self.ledger = ledger
        let clock = clock ?? (store == nil ? .embedded() : .system)
        self.clock = clock
        isShared = store != nil
        self.timeoutMicroseconds = timeoutMicroseconds
        let servers = ledger.withLock { $0.lanes.map(\.server) }
        courier = Courier(parkings: servers.map { _ in Parking() }, onEvent: onEvent)
        var threads: [CounterThread] = []
        for (lane, server) in servers.enumerated() {
            guard let store else { break }
            threads.append(
                CounterThread(ledger, lane: lane, server: server, store: store, clock: clock, courier: courier)
            )
        }
        self.threads = threads
        for thread in threads { thread.start() }
    }

    /// Waits until the store's clock was asked, a time-out at most. Blocks: before the first request.
    package func prepare() {
        guard isShared else { return }
        courier.ready.wait(untilMicroseconds: clock.alarm(clock.now().steady + timeoutMicroseconds))
    }

    /// Decides over all limits that cover a request: it counts in all of them or in none. Called on `loop`, and back on
    /// it; suspends only where the store must be asked.
    package func reserve(_ wants: [Want], on loop: EventLoop) async -> Hold {
        Hold(await decision(wants, loop), self)
    }

    /// The same where nothing is shared, and so nothing waited for; nil: use `reserve`.
    package func reserveInMemory(_ wants: [Want]) -> Hold? {
        guard !isShared else { return nil }
        let decision = ledger.withLock { $0.decideInMemory(wants, clock.now()) }
        return Hold(decision, self)
    }

    /// The refusal of whoever is known to be over a limit; nothing is counted, and the store not asked. Nil: `reserve`
    /// decides.
    package func knownRefusal(_ wants: [Want]) -> Decision? {
        tell { $0.knownRefusal(wants, at: $1) }
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
            return await wait.decision(at: clock.alarm(request.due)) { self.expire(request) }
        }
    }

    private func decide(_ wants: [Want], _ loop: EventLoop) -> (Ledger.Answer, Outbox?) {
        ledger.withLock { ledger in
            let answer = ledger.ask(wants, at: clock.now()) { LoopWait(loop) }
            guard ledger.store != nil else { return (answer, nil) }
            var outbox = Outbox()
            swap(&outbox, &ledger.outbox)
            return (answer, outbox)
        }
    }

    private func expire(_ request: Pending) -> Int? { tell { $0.expire(request, at: $1) }.map(clock.alarm) }

    func settle(_ held: [HeldUnits], _ used: Amounts?) { tell { $0.settle(held, used, at: $1) } }

    package func metrics() -> LimiterMetrics { ledger.withLock { $0.figures } }

    /// Writes what is still to be written, and ends the threads; a call under way is waited for. After the loops have
    /// ended.
    package func stop() {
        tell { $0.close(at: $1) }
        for parking in courier.parkings { parking.wake() }
        for thread in threads { thread.join() }
    }

    /// The time is read with the lock held: a thread that is stopped on its way to it must not decide for the past.
    @discardableResult
    private func tell<Result>(_ body: (inout Ledger, Moment) -> Result) -> Result {
        var outbox = Outbox()
        let result = ledger.withLock { ledger in
            let result = body(&ledger, clock.now())
            swap(&outbox, &ledger.outbox)
            return result
        }
        courier.deliver(outbox)
        return result
    }
}

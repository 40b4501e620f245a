import Engine

/// The ledger of a process behind its lock, with its clock, and the dispatcher that does the work in its outbox.
struct SharedLedger: Sendable {
    let lock: Lock<Ledger>
    let clock: LimitClock
    let dispatcher: Dispatcher

    /// Calls `body` with the locked ledger and the current time. Then, without the lock, does the work that `body` left
    /// in the ledger's `outbox`.
    @discardableResult
    func update<Result>(_ body: (inout Ledger, ClockReading) -> Result) -> Result {
        var outbox = Outbox()
        let result = lock.withLock { ledger in
            let result = body(&ledger, clock.now())
            swap(&outbox, &ledger.outbox)
            return result
        }
        dispatcher.deliver(outbox)
        return result
    }
}

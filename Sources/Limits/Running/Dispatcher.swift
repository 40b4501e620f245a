import Engine

/// Does what the ledger left to be done, once its lock is free.
struct Dispatcher: Sendable {
    /// By lane.
    let signals: [Signal]
    /// The start of the process waits here for the store's clock.
    let ready = Signal()
    let onEvent: @Sendable (LimiterEvent) -> Void

    func deliver(_ outbox: Outbox) {
        for lane in outbox.lanes { signals[lane].wake() }
        for request in outbox.decided {
            if let decision = request.decision { request.waiter.decided(decision) }
        }
        for event in outbox.events { onEvent(event) }
        if outbox.isReady { ready.wake() }
    }
}

import Engine

/// Does what the ledger left to be done, once its lock is free.
struct Courier: Sendable {
    /// By lane.
    let parkings: [Parking]
    /// Where the start of the process waits for the store's clock.
    let ready = Parking()
    let onEvent: @Sendable (LimiterEvent) -> Void

    func deliver(_ outbox: Outbox) {
        for lane in outbox.lanes { parkings[lane].wake() }
        for request in outbox.decided {
            if let decision = request.decision { request.waiter.decided(decision) }
        }
        for event in outbox.events { onEvent(event) }
        if outbox.isReady { ready.wake() }
    }
}

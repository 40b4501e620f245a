import Engine

/// Does what the ledger left to be done, once its lock is free.
///
/// `@unchecked`: `lanes` is set once, before anybody else has it.
final class Dispatcher: @unchecked Sendable {
    private var lanes: [CounterLane] = []
    /// The start of the process waits here for the store's clock.
    let ready = Signal()
    private let onEvent: @Sendable (LimiterEvent) -> Void

    init(onEvent: @escaping @Sendable (LimiterEvent) -> Void) { self.onEvent = onEvent }

    func begin(_ lanes: [CounterLane]) {
        self.lanes = lanes
        for lane in lanes { lane.wake() }
    }

    func deliver(_ outbox: Outbox) {
        for lane in outbox.lanes { lanes[lane].wake() }
        for request in outbox.decided {
            if let decision = request.decision { request.waiter.decided(decision) }
        }
        for event in outbox.events { onEvent(event) }
        if outbox.isReady { ready.wake() }
    }

    /// Returns when the lanes have nothing more to do.
    func end() {
        for lane in lanes { lane.wake() }
        for lane in lanes { lane.join() }
    }
}

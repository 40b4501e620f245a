import Engine

/// An object that does the work in the ledger's outbox after the ledger's lock is released.
///
/// `@unchecked`: `lanes` and `onCopiesAsked` are set before other threads use them.
final class Dispatcher: @unchecked Sendable {
    private var lanes: [CounterLane] = []
    /// The signal that the machine's clock is verified or that the store is known to be unavailable.
    let ready = Signal()
    /// Wakes the keeper of copies in a database. Set before the first request.
    var onCopiesAsked: @Sendable () -> Void = {}
    private let onEvent: @Sendable (LimiterEvent) -> Void

    init(onEvent: @escaping @Sendable (LimiterEvent) -> Void) { self.onEvent = onEvent }

    func begin(_ lanes: [CounterLane]) {
        self.lanes = lanes
        for lane in lanes { lane.wake() }
    }

    func deliver(_ outbox: Outbox) {
        for lane in outbox.lanes { lanes[lane].wake() }
        for request in outbox.retimed { request.waiter.retimed() }
        for request in outbox.decided {
            if let decision = request.decision { request.waiter.decided(decision) }
        }
        for event in outbox.events { onEvent(event) }
        if outbox.isReady { ready.wake() }
        if outbox.areCopiesAsked { onCopiesAsked() }
    }

    /// Waits until the lanes have no more work. Blocks.
    func end() {
        for lane in lanes { lane.wake() }
        for lane in lanes { lane.join() }
    }
}

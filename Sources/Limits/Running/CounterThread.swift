import Engine

/// A lane's thread: blocks in calls to its server, so that no event loop has to.
///
/// `@unchecked`: what changes is the thread's own.
final class CounterThread: @unchecked Sendable {
    private let ledger: Lock<Ledger>
    private let lane: Int
    private let server: Int
    private let store: any CounterStore
    private let clock: LimitClock
    private let dispatcher: Dispatcher
    private var connection: (any CounterConnection)?
    private let worker = Worker()

    init(
        _ ledger: Lock<Ledger>,
        lane: Int,
        server: Int,
        store: any CounterStore,
        clock: LimitClock,
        dispatcher: Dispatcher
    ) {
        self.ledger = ledger
        self.lane = lane
        self.server = server
        self.store = store
        self.clock = clock
        self.dispatcher = dispatcher
    }

    func start() { worker.begin(run) }

    func join() { worker.join() }

    private func run() {
        var outcome: Result<StoreReply, StoreFailure>?
        while true {
            let step = tell { ledger, now in
                if let outcome { ledger.take(outcome, lane, at: now) }
                return ledger.step(lane, at: now)
            }
            outcome = nil
            switch step {
            case .stop: return
            case .wait(let until): dispatcher.signals[lane].wait(untilMicroseconds: until.map(clock.alarm))
            case .call(let call):
                do throws(StoreFailure) {
                    outcome = .success(try perform(call))
                } catch {
                    outcome = .failure(error)
                }
            }
        }
    }

    private func perform(_ call: StoreCall) throws(StoreFailure) -> StoreReply {
        if case .connect = call {
            connection = nil
            let opened = try store.connect(to: server)
            let seconds = try opened.time()
            connection = opened
            return .connected(seconds)
        }
        guard let connection else { throw StoreFailure(reason: "no connection") }
        return try connection.perform(call)
    }

    @discardableResult
    private func tell<Result>(_ body: (inout Ledger, Moment) -> Result) -> Result {
        var outbox = Outbox()
        let result = ledger.withLock { ledger in
            let result = body(&ledger, clock.now())
            swap(&ledger.outbox, &outbox)
            return result
        }
        dispatcher.deliver(outbox)
        return result
    }
}

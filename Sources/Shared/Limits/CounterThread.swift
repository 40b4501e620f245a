import Engine
import Glibc

/// A lane's thread: blocks in calls to its server, so that no event loop has to.
///
/// `@unchecked`: what changes is the thread's own.
final class CounterThread: @unchecked Sendable {
    private let ledger: Lock<Ledger>
    private let lane: Int
    private let server: Int
    private let store: any CounterStore
    private let clock: LimitClock
    private let courier: Courier
    private var connection: (any CounterConnection)?
    private var thread = pthread_t()

    init(
        _ ledger: Lock<Ledger>,
        lane: Int,
        server: Int,
        store: any CounterStore,
        clock: LimitClock,
        courier: Courier
    ) {
        self.ledger = ledger
        self.lane = lane
        self.server = server
        self.store = store
        self.clock = clock
        self.courier = courier
    }

    func start() {
        let code = pthread_create(&thread, nil, runCounterThread, Unmanaged.passRetained(self).toOpaque())
        precondition(code == 0, "no thread for counters")
    }

    func join() { pthread_join(thread, nil) }

    fileprivate func run() {
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var outcome: Result<StoreReply, StoreFailure>?
        while true {
            let step = tell { ledger, now in
                if let outcome { ledger.take(outcome, lane, at: now) }
                return ledger.step(lane, at: now)
            }
            outcome = nil
            switch step {
            case .stop: return
            case .wait(let until): courier.parkings[lane].wait(untilMicroseconds: until.map(clock.alarm))
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
        courier.deliver(outbox)
        return result
    }
}

private func runCounterThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context { Unmanaged<CounterThread>.fromOpaque(context).takeRetainedValue().run() }
    return nil
}

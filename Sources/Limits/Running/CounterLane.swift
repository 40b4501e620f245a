import Engine

/// A connection to one server of the store, through which one event loop makes the ledger's calls. A thread of the lane
/// does the work that would block the event loop.
///
/// `@unchecked`: mutable state belongs to the loop, and to the thread while `state` is `helped`.
final class CounterLane: Watcher, TimerTarget, TurnEnd, @unchecked Sendable {
    private enum State {
        case idle
        case stepping
        /// A call was sent. The lane waits for its response until the given time.
        case waiting(StoreCall, until: LoopTime)
        case helped
        case ended
    }

    private let ledger: SharedLedger
    private let lane: Int
    private let server: Int
    private let store: any CounterStore
    private let timeoutNanoseconds: UInt64
    private let loop: EventLoop
    private let helper = Worker()
    private let end = Signal()

    private var state = State.idle
    private var isAtTurnEnd = false
    private lazy var timer = Timer(self)
    private var connection: (any CounterConnection)?
    private var polled: (any PolledConnection)?
    /// The epoll events for which the loop watches the connection; 0 if it does not watch the connection.
    private var watched: UInt32 = 0

    init(
        _ lane: Int,
        _ server: Int,
        of store: any CounterStore,
        _ ledger: SharedLedger,
        on loop: EventLoop,
        timeoutMicroseconds: Int
    ) {
        self.lane = lane
        self.server = server
        self.store = store
        self.ledger = ledger
        self.loop = loop
        timeoutNanoseconds = UInt64(timeoutMicroseconds) * 1_000
    }

    /// Makes the lane ask the ledger for work. Can be called on any thread.
    func wake() {
        if loop.isCurrent { wakeHere() } else { loop.call { self.wakeHere() } }
    }

    /// Schedules the lane's next step after the event loop's current events.
    private func wakeHere() {
        guard case .idle = state, !isAtTurnEnd else { return }
        isAtTurnEnd = true
        loop.atTurnEnd(self)
    }

    func turnEnds() {
        isAtTurnEnd = false
        if case .idle = state { go(nil) }
    }

    /// Waits until the ledger has no more work for the lane. Blocks; the event loop must continue to run.
    func join() {
        while !end.wait() {}
        helper.join()
    }

    // MARK: Calls

    private func go(_ outcome: Result<StoreResult, StoreFailure>?) {
        var outcome = outcome
        while true {
            state = .stepping
            let step = ledger.update { ledger, now in
                if let outcome { ledger.receive(outcome, lane: lane, at: now) }
                return ledger.step(lane, at: now)
            }
            outcome = nil
            switch step {
            case .stop: return stop()
            case .wait(let until):
                state = .idle
                if let until { arm(ledger.clock.alarm(until)) } else { loop.disarm(timer) }
                return
            case .call(let call):
                do throws(StoreFailure) {
                    guard let result = try begin(call) else { return }
                    outcome = .success(result)
                } catch {
                    drop()
                    outcome = .failure(error)
                }
            }
        }
    }

    /// Begins a call to the store. Returns its result; nil if the call is still under way.
    private func begin(_ call: StoreCall) throws(StoreFailure) -> StoreResult? {
        if case .connect = call {
            drop()
            help { lane throws(StoreFailure) in
                let opened = try lane.store.connect(to: lane.server)
                let state = try opened.status()
                lane.connection = opened
                return .connected(state)
            }
            return nil
        }
        guard let polled else {
            help { lane throws(StoreFailure) in
                guard let connection = lane.connection else { throw StoreFailure(reason: "no connection") }
                return try connection.perform(call)
            }
            return nil
        }
        guard let asked = call.polled else { preconditionFailure("done above") }
        if let response = try polled.begin(asked) { return call.result(response) }
        let until = LoopTime.current() + timeoutNanoseconds
        state = .waiting(call, until: until)
        watch(polled.isSending)
        arm(until)
        return nil
    }

    private func help(_ work: @escaping @Sendable (CounterLane) throws(StoreFailure) -> StoreResult) {
        state = .helped
        loop.disarm(timer)
        helper.begin { [self] in
            let outcome: Result<StoreResult, StoreFailure>
            do throws(StoreFailure) { outcome = .success(try work(self)) } catch { outcome = .failure(error) }
            loop.call { self.helped(outcome) }
        }
    }

    private func helped(_ outcome: Result<StoreResult, StoreFailure>) {
        if case .failure = outcome { drop() }
        polled = connection as? any PolledConnection
        if polled != nil { watch(false) }
        go(outcome)
    }

    func ready(_ events: UInt32) {
        if case .waiting(let call, _) = state { return proceed(call) }
        // The connection has ended, or sent data that no call requested.
        drop()
        ledger.update { ledger, _ in ledger.disconnected(lane) }
    }

    func timerFired() {
        switch state {
        case .idle: go(nil)
        case .waiting(let call, let until):
            // A process that was stopped or starved may have a response to read.
            proceed(call)
            guard case .waiting(_, until) = state else { return }
            if LoopTime.current() < until { return arm(until) }
            drop()
            go(.failure(.late))
        case .stepping, .helped, .ended: break
        }
    }

    private func proceed(_ call: StoreCall) {
        guard let polled else { return }
        do throws(StoreFailure) {
            guard let response = try polled.proceed() else { return watch(polled.isSending) }
            go(.success(call.result(response)))
        } catch {
            drop()
            go(.failure(error))
        }
    }

    // MARK: State

    private func arm(_ deadline: LoopTime) { loop.arm(timer, at: deadline) }

    private func watch(_ isSending: Bool) {
        guard let polled else { return }
        let events = EventLoop.readEvents | (isSending ? EventLoop.sendEvents : 0)
        guard events != watched else { return }
        if watched == 0 {
            loop.watch(polled.descriptor, self, for: events)
        } else {
            loop.change(polled.descriptor, to: events)
        }
        watched = events
    }

    private func drop() {
        if let polled, watched != 0 { loop.forget(polled.descriptor) }
        watched = 0
        polled = nil
        connection = nil
    }

    private func stop() {
        state = .ended
        loop.remove(timer)
        drop()
        end.wake()
    }
}

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

package import Engine

/// Equal requests that run at the same time, on all loops of the process: one of them asks, the others wait for its answer.
package final class Flights: Sendable {
    /// The place of a request among its equals.
    package enum Place: Sendable {
        /// It asks.
        case leads(FlightLead)
        case waits(FlightSeat)
        /// Too many wait: it asks, and nobody waits for it.
        case full
    }

    private struct State {
        /// By the key of each: those who wait, in their order.
        var flights: [AnswerKey: [FlightSeat]] = [:]
        var waiting = 0
    }

    private let state = Lock(State())
    private let bound: Int

    /// - Parameter bound: the most requests that wait.
    package init(bound: Int = 1_000) { self.bound = bound }

    /// - Parameter loop: the request's.
    package func join(_ key: AnswerKey, on loop: EventLoop) -> Place {
        state.withLock { state in
            guard state.flights[key] != nil else {
                state.flights[key] = []
                return .leads(FlightLead(key, self))
            }
            guard state.waiting < bound else { return .full }
            let seat = FlightSeat(key, self, loop)
            state.flights[key]?.append(seat)
            state.waiting += 1
            return .waits(seat)
        }
    }

    /// Requests that wait.
    package var waiting: Int { state.withLock { $0.waiting } }

    /// The lead of a flight has ended. Nil: the next one leads.
    fileprivate func end(_ key: AnswerKey, with ending: FlightLead.Ending?) {
        let seats: [FlightSeat] = state.withLock { state in
            guard let seats = state.flights[key], !seats.isEmpty, ending == nil else {
                let all = state.flights.removeValue(forKey: key) ?? []
                state.waiting -= all.count
                return all
            }
            state.waiting -= 1
            return [state.flights[key]?.removeFirst()].compactMap(\.self)
        }
        for seat in seats {
            switch ending {
            case .answer(let answer): seat.tell(.answer(answer))
            case .unkept: seat.tell(.alone)
            case nil: seat.tell(.leads(FlightLead(key, self)))
            }
        }
    }

    fileprivate func leave(_ seat: FlightSeat) {
        state.withLock { state in
            guard let place = state.flights[seat.key]?.firstIndex(where: { $0 === seat }) else { return }
            state.flights[seat.key]?.remove(at: place)
            state.waiting -= 1
        }
    }
}

/// The right to ask for all that wait. However it ends, they are told.
package final class FlightLead: Sendable {
    package enum Ending: Sendable {
        case answer(Body)
        /// The answer is not one to be kept: each asks for itself.
        case unkept
    }

    private let key: AnswerKey
    private let flights: Lock<Flights?>

    fileprivate init(_ key: AnswerKey, _ flights: Flights) {
        self.key = key
        self.flights = Lock(flights)
    }

    deinit { end() }

    /// Once; later calls do nothing. Nil: there is no answer, so the next one asks.
    package func end(with ending: Ending? = nil) {
        let flights = flights.withLock { flights in
            defer { flights = nil }
            return flights
        }
        flights?.end(key, with: ending)
    }
}

/// One request that waits for the answer to another.
///
/// `@unchecked`: used on its loop, but for `tell`.
package final class FlightSeat: TimerTarget, @unchecked Sendable {
    package enum Outcome: Sendable {
        case answer(Body)
        /// The one before it brought none: it asks now, and the others wait for it.
        case leads(FlightLead)
        /// It asks for itself.
        case alone
        /// Its time is over.
        case late
        /// Its client has left.
        case left
    }

    let key: AnswerKey
    private let flights: Flights
    private let loop: EventLoop
    private let waiter = Waiter()
    private lazy var timer = Timer(self)
    private var told: Outcome?
    private var isLate = false
    private var isGone = false

    fileprivate init(_ key: AnswerKey, _ flights: Flights, _ loop: EventLoop) {
        self.key = key
        self.flights = flights
        self.loop = loop
    }

    /// From any thread.
    fileprivate func tell(_ outcome: Outcome) {
        loop.call { [self] in
            // A lead that nobody takes ends here, and passes on.
            guard !isGone else { return }
            told = outcome
            waiter.wake()
        }
    }

    package func outcome(until deadline: LoopTime) async -> Outcome {
        loop.arm(timer, at: deadline)
        while told == nil, !isLate, !Task.isCancelled { await waiter.wait() }
        loop.remove(timer)
        isGone = true
        if let told { return told }
        flights.leave(self)
        return isLate ? .late : .left
    }

    package func timerFired() {
        isLate = true
        waiter.wake()
    }
}

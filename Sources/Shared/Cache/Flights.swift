package import Engine

/// Coalescing of equal requests that run at the same time on all loops: one request calls the vendor, and the others
/// wait for its response.
package final class Flights: Sendable {
    /// The role of a request among equal ones.
    package enum Place: Sendable {
        /// The request calls the vendor, and others may wait for its response.
        case leads(FlightLead)
        case waits(FlightSeat)
        /// Too many requests wait already: the request calls the vendor for itself alone.
        case full
    }

    private struct State {
        /// The waiting requests of each running call, in order of arrival.
        var flights: [AnswerKey: [FlightSeat]] = [:]
        var waiting = 0
    }

    private let state = Lock(State())
    private let bound: Int

    /// - Parameter bound: the largest number of waiting requests.
    package init(bound: Int = 1_000) { self.bound = bound }

    /// Adds a request to its equals, and returns its role.
    ///
    /// - Parameter loop: the request's event loop.
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

    /// The number of requests that wait.
    package var waiting: Int { state.withLock { $0.waiting } }

    /// Ends the leading call of a key and wakes those that wait. If there is no outcome (nil), the next waiting request
    /// leads.
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

/// The right to call the vendor for all equal requests. When it ends or is released, the waiting requests are woken.
package final class FlightLead: Sendable {
    package enum Ending: Sendable {
        case answer(Body)
        /// The response must not be cached: each waiting request calls the vendor itself.
        case unkept
    }

    private let key: AnswerKey
    private let flights: Lock<Flights?>

    fileprivate init(_ key: AnswerKey, _ flights: Flights) {
        self.key = key
        self.flights = Lock(flights)
    }

    deinit { end() }

    /// Passes the outcome to the waiting requests; nil: there is no response, so the next one calls the vendor. Only
    /// the first call has an effect.
    package func end(with ending: Ending? = nil) {
        let flights = flights.withLock { flights in
            defer { flights = nil }
            return flights
        }
        flights?.end(key, with: ending)
    }
}

/// One request that waits for the response to an equal request.
///
/// `@unchecked`: used on its loop only, except for `tell`.
package final class FlightSeat: TimerTarget, @unchecked Sendable {
    package enum Outcome: Sendable {
        case answer(Body)
        /// The leading request had no response: this request now calls the vendor, and the others wait for it.
        case leads(FlightLead)
        /// The request calls the vendor for itself alone.
        case alone
        /// The deadline has passed.
        case late
        /// The client has disconnected.
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

    /// Wakes the request with an outcome. Call it from any thread.
    fileprivate func tell(_ outcome: Outcome) {
        loop.call { [self] in
            // If a lead is delivered too late, it is released here, which makes the next request the lead.
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

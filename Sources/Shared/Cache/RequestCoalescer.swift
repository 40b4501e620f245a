package import Engine

/// Coalesces equal requests: one calls the vendor, and the others wait for its response. All loops share this object.
package final class RequestCoalescer: Sendable {
    /// The role of a request among equal requests that run at the same time.
    package enum RequestRole: Sendable {
        /// The request calls the vendor, and equal requests can wait for its response.
        case leads(CoalescedLeader)
        case waits(CoalescedWaiter)
        /// The request calls the vendor only for itself, because too many requests already wait for equal requests.
        case full
    }

    private struct State {
        /// The waiting requests by cache key, in order of arrival. A key is present while a request with this key calls
        /// the vendor.
        var coalescer: [CacheKey: [CoalescedWaiter]] = [:]
        var waiting = 0
    }

    private let state = Lock(State())
    private let bound: Int

    /// Creates a coalescer with which at most `bound` requests wait.
    package init(bound: Int = 1_000) { self.bound = bound }

    /// Registers a request among equal requests that run at the same time. Returns its role: whether it calls the
    /// vendor or waits.
    package func join(_ key: CacheKey, on loop: EventLoop) -> RequestRole {
        state.withLock { state in
            guard state.coalescer[key] != nil else {
                state.coalescer[key] = []
                return .leads(CoalescedLeader(key, self))
            }
            guard state.waiting < bound else { return .full }
            let coalescedWaiter = CoalescedWaiter(key, self, loop: loop)
            state.coalescer[key]?.append(coalescedWaiter)
            state.waiting += 1
            return .waits(coalescedWaiter)
        }
    }

    /// The number of requests that wait for the response to an equal request.
    package var waiting: Int { state.withLock { $0.waiting } }

    /// Passes the outcome of the request that called the vendor to the requests that wait for it. If `ending` is nil,
    /// the next waiting request calls the vendor.
    fileprivate func end(_ key: CacheKey, with ending: CoalescedLeader.Ending?) {
        let coalescedWaiters: [CoalescedWaiter] = state.withLock { state in
            guard let coalescedWaiters = state.coalescer[key], !coalescedWaiters.isEmpty, ending == nil else {
                let all = state.coalescer.removeValue(forKey: key) ?? []
                state.waiting -= all.count
                return all
            }
            state.waiting -= 1
            return [state.coalescer[key]?.removeFirst()].compactMap(\.self)
        }
        for coalescedWaiter in coalescedWaiters {
            switch ending {
            case .response(let response): coalescedWaiter.resume(with: .response(response))
            case .uncacheable: coalescedWaiter.resume(with: .alone)
            case nil: coalescedWaiter.resume(with: .leads(CoalescedLeader(key, self)))
            }
        }
    }

    fileprivate func isAwaited(_ key: CacheKey) -> Bool { state.withLock { $0.coalescer[key]?.isEmpty == false } }

    fileprivate func leave(_ coalescedWaiter: CoalescedWaiter) {
        state.withLock { state in
            guard let index = state.coalescer[coalescedWaiter.key]?.firstIndex(where: { $0 === coalescedWaiter })
            else { return }
            state.coalescer[coalescedWaiter.key]?.remove(at: index)
            state.waiting -= 1
        }
    }
}

/// The right of one request to call the vendor for all equal requests. If this object is released before `end` was
/// called, the next waiting request gets the right.
package final class CoalescedLeader: Sendable {
    package enum Ending: Sendable {
        case response(Body)
        /// The response must not be cached: each waiting request calls the vendor itself.
        case uncacheable
    }

    private let key: CacheKey
    private let coalescer: Lock<RequestCoalescer?>

    fileprivate init(_ key: CacheKey, _ coalescer: RequestCoalescer) {
        self.key = key
        self.coalescer = Lock(coalescer)
    }

    deinit { end() }

    /// Whether requests wait for the response of this request.
    package var isAwaited: Bool { coalescer.withLock { $0 }?.isAwaited(key) ?? false }

    /// Passes the outcome of the upstream call to the waiting requests. If `ending` is nil, the next waiting request
    /// calls the vendor. Only the first call of this function has an effect.
    package func end(with ending: Ending? = nil) {
        let coalescer = coalescer.withLock { coalescer in
            defer { coalescer = nil }
            return coalescer
        }
        coalescer?.end(key, with: ending)
    }
}

/// One request that waits for the response to an equal request.
///
/// `@unchecked`: used on its loop only, except for `resume(with:)`.
package final class CoalescedWaiter: @unchecked Sendable {
    package enum Outcome: Sendable {
        case response(Body)
        /// The request that called the vendor ended without a response, so this request now calls the vendor.
        case leads(CoalescedLeader)
        /// The response of the request that called the vendor must not be cached, so this request calls the vendor for
        /// itself.
        case alone
        /// The deadline for waiting has passed.
        case late
        /// The client has disconnected.
        case left
    }

    let key: CacheKey
    private let coalescer: RequestCoalescer
    private let loop: EventLoop
    private let waiter = Waiter()
    private var reportedOutcome: Outcome?
    private var isGone = false

    fileprivate init(_ key: CacheKey, _ coalescer: RequestCoalescer, loop: EventLoop) {
        self.key = key
        self.coalescer = coalescer
        self.loop = loop
    }

    /// Wakes the waiting request with an outcome. Any thread may call it.
    fileprivate func resume(with outcome: Outcome) {
        loop.call { [self] in
            // If a lead is delivered too late, it is released here, which makes the next request the lead.
            guard !isGone else { return }
            reportedOutcome = outcome
            waiter.wake()
        }
    }

    package func outcome(until deadline: LoopTime) async -> Outcome {
        if reportedOutcome == nil { await loop.wait(for: waiter, until: deadline) }
        isGone = true
        if let reportedOutcome { return reportedOutcome }
        coalescer.leave(self)
        return Task.isCancelled ? .left : .late
    }
}

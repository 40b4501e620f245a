import CCurl
import Glibc

/// A call under way: the response as it arrives, and its time limits. Subclasses speak HTTP with the vendor.
///
/// `@unchecked`: only its loop's thread uses it.
class UpstreamTransfer: UpstreamStream, TimerTarget, @unchecked Sendable {
    let isStreamed: Bool
    unowned let client: CurlClient
    let loop: EventLoop
    var endpoint: Endpoint?
    var head = UpstreamHead(status: 0, isEventStream: false, retryAfterSeconds: nil)
    var isHeadComplete = false
    var received = ByteBuffer()
    /// The reserved memory of a response that is kept whole.
    private var responseReservation: MemoryReservation?
    let waiter = Waiter()
    /// The result of the transfer; `CURLE_OK` if the response is complete, nil while the transfer runs.
    private(set) var finished: CURLcode?
    var failure: TransportError?
    /// Whether any byte of the body has arrived.
    private(set) var hasBegun = false
    /// Whether the vendor is paused until the reader has read what waits.
    var isPaused = false
    private(set) var isUnwanted = false
    private var isStopped = false
    /// A reference that keeps this object alive while it runs and nothing else holds it.
    private var own: UpstreamTransfer?
    private var startedAt = LoopTime.distantPast
    private var silenceAt = LoopTime.distantFuture
    private var limitAt = LoopTime.distantFuture
    /// The time at which the total time ends, or the deadline for the response to begin; `distantFuture` if libcurl
    /// measures the total time.
    private var totalAt = LoopTime.distantFuture
    /// The deadline for the response to begin; nil if `totalAt` is the end of the total time.
    private var deadline: (any ResponseDeadline)?

    /// The most bytes of a stream that wait for its reader before the vendor is paused.
    static let streamLimitBytes = 16_384

    init(client: CurlClient, isStreamed: Bool) {
        self.client = client
        loop = client.loop
        self.isStreamed = isStreamed
    }

    // MARK: For subclasses

    /// Arranges for `timerFired` to be called at `deadline`, or at an earlier time that was set before.
    func arm(at deadline: LoopTime) { preconditionFailure("of a subclass") }
    func disarm() { preconditionFailure("of a subclass") }
    /// Continues reading after the reader has read what waited.
    func resume() { preconditionFailure("of a subclass") }
    /// Ends the call at once, and closes its connection. `finish` is called before this returns.
    func abort() { preconditionFailure("of a subclass") }
    /// Frees or reuses the object, which nothing uses any more.
    func recycle() { clear() }
    /// Reads the head after it has arrived completely.
    func readHead() {}
    var mediaType: String { "" }
    /// Whether a body is being sent to the vendor, which may take its time.
    var isSending: Bool { false }
    /// Whether libcurl measures the total time.
    var hasSeparateTotal: Bool { true }
    /// Whether the call is past the connection phase, so that a time-out is one of the total time.
    var isConnected: Bool { hasBegun }

    // MARK: Start and end

    func start(at endpoint: Endpoint, by deadline: (any ResponseDeadline)? = nil) {
        startedAt = loop.now
        self.endpoint = endpoint
        totalAt = wholeAt
        guard let deadline else { return }
        self.deadline = deadline
        totalAt = min(totalAt, deadline.endsAt)
    }

    /// Excludes some time from the total time.
    func postponeTotal(byNanoseconds delay: UInt64) { totalAt += delay }

    private var wholeAt: LoopTime { hasSeparateTotal ? .distantFuture : startedAt + totalNanoseconds }

    /// Resets the object to its initial state, except for what `start` sets.
    func reset() {
        received.removeAll()
        failure = nil
        finished = nil
        isHeadComplete = false
        hasBegun = false
        isPaused = false
        isUnwanted = false
        isStopped = false
        silenceAt = .distantFuture
    }

    /// Handles the end of the transfer, or its removal.
    func finish(_ code: CURLcode) {
        finished = code
        disarm()
        if isUnwanted {
            recycle()
            own = nil
        } else {
            waiter.wake()
        }
    }

    /// Frees the memory of the call.
    func clear() {
        received.release()
        responseReservation = nil
        deadline = nil
    }

    func stop(isComplete: Bool) {
        assert(!isStopped, "a transfer is stopped twice, so two calls may get it")
        isStopped = true
        received.release()
        if finished != nil {
            recycle()
        } else if isComplete, !isSending {
            isUnwanted = true
            own = self
            if isPaused { resume() }
            arm(at: loop.now + 1_000_000_000)
        } else {
            isUnwanted = true
            abort()
        }
    }

    var budget: MemoryBudget? { client.budget }

    // MARK: Waiting

    /// Waits until the response's head is complete or the transfer has ended.
    func waitForHead() async throws(TransportError) {
        while !isHeadComplete, finished == nil, failure == nil, !Task.isCancelled { await waiter.wait() }
        try check()
        readHead()
    }

    /// Waits until the transfer has ended.
    func waitForEnd() async throws(TransportError) {
        while finished == nil, failure == nil, !Task.isCancelled { await waiter.wait() }
        try check()
        if let finished, finished != CURLE_OK { throw error(finished) }
        readHead()
    }

    func check() throws(TransportError) {
        if let failure { throw failure }
        if Task.isCancelled { throw TransportError(.cancelled) }
        if let finished, finished != CURLE_OK, !isHeadComplete { throw error(finished) }
    }

    /// The endpoint, if errors may name it; nil for calls under an address rule, whose URL came from a caller.
    private var named: Endpoint? { client.rule == nil ? endpoint : nil }

    private func error(_ code: CURLcode) -> TransportError {
        // libcurl has one code for both time-outs, and reads its clock slightly apart from the loop's.
        let elapsed = loop.now.nanoseconds(since: startedAt) + 50_000_000
        let isTotal = isConnected || elapsed >= totalNanoseconds
        return TransportError(code, isWholeTimeOver: isTotal, at: named)
    }

    private var totalNanoseconds: UInt64 { UInt64(endpoint?.options.totalMilliseconds ?? 0) * 1_000_000 }

    /// Restarts the vendor's time limit.
    func restartTimeLimit() {
        guard let options = endpoint?.options else { return }
        limit(after: hasBegun ? options.idleMilliseconds : options.firstByteMilliseconds)
    }

    func limit(after milliseconds: Int) {
        limitAt = loop.now.adding(milliseconds: milliseconds)
        arm(at: nextDeadline)
    }

    func clearTimeLimit() { limitAt = .distantFuture }

    /// The time at which `timerFired` must be called.
    var nextDeadline: LoopTime { min(limitAt, silenceAt, totalAt) }

    func timerFired() {
        let now = loop.now
        guard finished == nil else { return }
        if isUnwanted { return abort() }
        if now >= totalAt, isOver(at: now) {
            waiter.wake()
        } else if isPaused {
            if totalAt != .distantFuture { arm(at: totalAt) }
        } else if now >= limitAt {
            failure = TransportError(hasBegun || isSending ? .idleTimeout : .firstByteTimeout, at: named)
            waiter.wake()
        } else {
            if now >= silenceAt { waiter.wake() }
            let next = min(limitAt, totalAt)
            if next != .distantFuture { arm(at: next) }
        }
    }

    /// Fails the call if its deadline or its total time has passed at `totalAt`. Returns whether the call has failed.
    /// If the response has begun before its deadline, only the total time applies from then on.
    private func isOver(at now: LoopTime) -> Bool {
        if let deadline {
            totalAt = wholeAt
            if now >= deadline.endsAt { failure = TransportError(.late, at: named) }
            self.deadline = nil
        }
        if failure == nil, now >= totalAt { failure = TransportError(.totalTimeout, at: named) }
        return failure != nil
    }

    // MARK: Bytes

    /// Returns whether the response, with `count` more bytes, is within its limit. Otherwise the call has failed.
    func isWithinLimit(with count: Int = 0) -> Bool {
        guard !isStreamed, received.count + count > endpoint?.options.responseLimitBytes ?? 0 else { return true }
        failure = TransportError(.tooLarge, at: named)
        return false
    }

    /// Returns whether there is memory for `count` more bytes of the response. Otherwise the call has failed.
    func hasRoom(for count: Int) -> Bool {
        let count = received.count + count
        guard !isStreamed, count > MemoryBudget.smallBytes, !holds(count) else { return true }
        failure = TransportError(.overloaded)
        return false
    }

    private func holds(_ count: Int) -> Bool {
        (budget?.covers(count, &responseReservation) ?? true) && received.canReserve(count - received.count)
    }

    /// Handles bytes of the body that were added to `received`.
    func hasReceived() {
        hasBegun = true
        restartTimeLimit()
        if isStreamed { waiter.wake() }
    }

    func receivedBody() -> Body {
        var whole = ByteBuffer()
        swap(&whole, &received)
        defer { responseReservation = nil }
        return Body(whole, responseReservation)
    }

    // MARK: Stream

    func more(patienceNanoseconds: UInt64) async throws(TransportError) -> Arrival {
        if received.isEmpty, finished == nil, failure == nil {
            silenceAt = loop.now + patienceNanoseconds
            arm(at: nextDeadline)
            await waiter.wait()
            defer { silenceAt = .distantFuture }
            if received.isEmpty, finished == nil, failure == nil, !Task.isCancelled { return .silence }
        }
        if Task.isCancelled { throw TransportError(.cancelled) }
        if !received.isEmpty { return .bytes }
        if let failure { throw failure }
        guard let finished, finished != CURLE_OK else { return .end }
        throw error(finished)
    }

    func receive(into buffer: inout ByteBuffer) {
        swap(&buffer, &received)
        guard isPaused else { return }
        isPaused = false
        restartTimeLimit()
        resume()
    }
}

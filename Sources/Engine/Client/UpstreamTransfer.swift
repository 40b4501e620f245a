import CCurl
import Glibc

/// A running call to a vendor. It holds the received bytes and checks the time limits.
class UpstreamTransfer: UpstreamStream, TimerTarget, OnLoop, @unchecked Sendable {
    unowned let client: CurlClient
    let loop: EventLoop
    var endpoint: Endpoint?
    var head = UpstreamHead(status: 0, isEventStream: false, retryAfterSeconds: nil)
    var received = ByteBuffer()
    /// The memory reserved for a response that is not streamed; nil if none is reserved.
    private var responseReservation: MemoryReservation?
    let waiter = Waiter()
    /// The result of the transfer; `CURLE_OK` if the response is complete, nil while the transfer runs.
    private(set) var finished: CURLcode?
    /// The facts about the connection if opening it failed; nil if it did not.
    var connectFailure: ConnectFailure?
    let isStreamed: Bool
    var isHeadComplete = false
    /// Whether any byte of the response's body has arrived.
    private(set) var hasBegun = false
    /// Whether reading from the vendor is paused until the stream's reader has read the received bytes.
    var isPaused = false
    private(set) var isUnwanted = false
    private var isStopped = false
    var failure: TransportError?
    /// A reference to this object itself. It keeps the object alive after `stop` until the transfer ends.
    private var own: UpstreamTransfer?
    private var startedAt = LoopTime.distantPast
    private var silenceAt = LoopTime.distantFuture
    private var limitAt = LoopTime.distantFuture
    /// The end of the total time limit if this class measures it, or the time of `deadline` if it is earlier;
    /// `distantFuture` if there is neither.
    private var totalAt = LoopTime.distantFuture
    /// The deadline for the response to the client; nil if there is none or the deadline was already checked.
    private var deadline: (any ResponseDeadline)?

    /// The number of unread bytes of a stream at which reading from the vendor is paused.
    static let streamLimitBytes = 16_384

    init(client: CurlClient, isStreamed: Bool) {
        self.client = client
        loop = client.loop
        self.isStreamed = isStreamed
    }

    // MARK: For subclasses

    /// Sets the timer, which calls `timerFired` at `deadline`.
    func arm(at deadline: LoopTime) { preconditionFailure("of a subclass") }
    func disarm() { preconditionFailure("of a subclass") }
    /// Continues reading from the vendor, after the reader has read the waiting bytes.
    func resume() { preconditionFailure("of a subclass") }
    /// Ends the call at once, and closes its connection. It calls `finish` before it returns.
    func abort() { preconditionFailure("of a subclass") }
    /// Frees this object's memory, or keeps the object for a later call. Called after the call has ended.
    func recycle() { clear() }
    /// Reads the status and header fields into `head`. Called once the head is complete.
    func readHead() {}
    var mediaType: String { "" }
    /// Whether the response shows by itself whether it is whole: JSON and events do.
    var showsItsEnd: Bool { mediaType == "application/json" || mediaType == "text/event-stream" }
    /// Whether the body of an upload is still being sent to the vendor.
    var isSending: Bool { false }
    /// Whether libcurl, and not this class, measures the time limit of the whole call.
    var hasSeparateTotal: Bool { true }
    /// Whether the connection to the vendor is known to have opened.
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

    /// Extends the time limit of the whole call.
    func postponeTotal(byNanoseconds delay: UInt64) { totalAt += delay }

    private var wholeAt: LoopTime { hasSeparateTotal ? .distantFuture : startedAt + totalNanoseconds }

    /// Resets the object for a new call, except for the properties that `start` sets.
    func reset() {
        connectFailure = nil
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

    /// Handles the end of the transfer, also after `abort`. Wakes the task that waits for the response.
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

    /// Frees the memory that the call used.
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

    /// Waits until the response's head is complete. Throws if the call fails first.
    func waitForHead() async throws(TransportError) {
        while !isHeadComplete, finished == nil, failure == nil, !Task.isCancelled { await waiter.wait() }
        try check()
        try checkHead()
    }

    /// Reads the response's head. Throws if the response is compressed, unless it is an error response.
    private func checkHead() throws(TransportError) {
        readHead()
        if head.isCoded, head.status / 100 == 2 { throw TransportError(.coded, at: endpoint) }
    }

    /// Waits until the response is complete. Throws if the call fails.
    func waitForEnd() async throws(TransportError) {
        while finished == nil, failure == nil, !Task.isCancelled { await waiter.wait() }
        try check()
        if let finished, finished != CURLE_OK { throw error(finished) }
        try checkHead()
    }

    func check() throws(TransportError) {
        if let failure { throw failure }
        if Task.isCancelled { throw TransportError(.cancelled) }
        if let finished, finished != CURLE_OK, !isHeadComplete { throw error(finished) }
    }

    private func error(_ code: CURLcode) -> TransportError {
        // libcurl has one code for both time-outs, and reads its clock slightly apart from the loop's.
        let elapsed = loop.now.nanoseconds(since: startedAt) + 50_000_000
        let isTotal = isConnected || elapsed >= totalNanoseconds
        return TransportError(code, isWholeTimeOver: isTotal, at: endpoint, connectFailure)
    }

    private var totalNanoseconds: UInt64 { UInt64(endpoint?.options.totalMilliseconds ?? 0) * 1_000_000 }

    /// Restarts the time limit for the next bytes from the vendor.
    func restartTimeLimit() {
        guard let options = endpoint?.options else { return }
        limit(after: hasBegun ? options.idleMilliseconds : options.firstByteMilliseconds)
    }

    func limit(after milliseconds: Int) {
        limitAt = loop.now.adding(milliseconds: milliseconds)
        arm(at: nextDeadline)
    }

    func clearTimeLimit() { limitAt = .distantFuture }

    /// The next time at which `timerFired` must be called.
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
            failure = TransportError(hasBegun || isSending ? .idleTimeout : .firstByteTimeout, at: endpoint)
            waiter.wake()
        } else {
            if now >= silenceAt { waiter.wake() }
            let next = min(limitAt, totalAt)
            if next != .distantFuture { arm(at: next) }
        }
    }

    /// Makes the call fail if its deadline or its total time limit has passed. Returns whether the call has failed.
    ///
    /// Call it when `totalAt`, the earlier of the two times, has passed.
    private func isOver(at now: LoopTime) -> Bool {
        if let deadline {
            totalAt = wholeAt
            if now >= deadline.endsAt { failure = TransportError(.late, at: endpoint) }
            self.deadline = nil
        }
        if failure == nil, now >= totalAt { failure = TransportError(.totalTimeout, at: endpoint) }
        return failure != nil
    }

    // MARK: Bytes

    /// Returns whether the response with `count` more bytes stays within its size limit. If not, the call fails.
    func isWithinLimit(with count: Int = 0) -> Bool {
        guard !isStreamed, received.count + count > endpoint?.options.responseLimitBytes ?? 0 else { return true }
        failure = TransportError(.tooLarge, at: endpoint)
        return false
    }

    /// Returns whether there is memory for `count` more bytes of the response. If not, the call fails.
    func hasRoom(for count: Int) -> Bool {
        let count = received.count + count
        guard !isStreamed, count > MemoryBudget.smallBytes, !holds(count) else { return true }
        failure = TransportError(.overloaded)
        return false
    }

    private func holds(_ count: Int) -> Bool {
        (budget?.covers(count, &responseReservation) ?? true) && received.canReserve(count - received.count)
    }

    /// Restarts the time limit for the vendor's next bytes and wakes the reader of a stream. Call this function after
    /// bytes were added to `received`.
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

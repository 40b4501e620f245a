import CCurl
import Glibc

/// A call on its way: the answer as it comes, and the times that it has. Who speaks HTTP with the vendor is a subclass's
/// matter.
///
/// `@unchecked`: only its loop's thread touches it.
class UpstreamTransfer: UpstreamStream, TimerTarget, @unchecked Sendable {
    let isStreamed: Bool
    unowned let client: CurlClient
    let loop: EventLoop
    var endpoint: Endpoint?
    var head = UpstreamHead(status: 0, isEventStream: false, retryAfterSeconds: nil)
    var isHeadComplete = false
    var received = ByteBuffer()
    /// For an answer that is kept whole.
    private var answerHold: MemoryHold?
    let waiter = Waiter()
    /// The transfer is over; `CURLE_OK`: the answer is whole.
    private(set) var finished: CURLcode?
    var failure: TransportError?
    /// Something of the body has come.
    private(set) var hasBegun = false
    /// The vendor is held back until the reader takes what waits.
    var isPaused = false
    private(set) var isUnwanted = false
    private var isStopped = false
    /// Keeps this object while it runs and nobody else holds it.
    private var own: UpstreamTransfer?
    private var startedAt = LoopTime.distantPast
    private var silenceAt = LoopTime.distantFuture
    private var limitAt = LoopTime.distantFuture
    /// When the whole time is over, or that for its answer to begin; .max: somebody else looks after it.
    private var totalAt = LoopTime.distantFuture
    /// Nil: `totalAt` is of the whole time.
    private var deadline: (any AnswerDeadline)?

    /// Of a stream, waiting for its reader; more pauses the vendor.
    static let streamLimitBytes = 16_384

    init(client: CurlClient, isStreamed: Bool) {
        self.client = client
        loop = client.loop
        self.isStreamed = isStreamed
    }

    // MARK: For subclasses

    /// Something calls `timerFired` then, or when it was said before.
    func arm(at deadline: LoopTime) { preconditionFailure("of a subclass") }
    func disarm() { preconditionFailure("of a subclass") }
    /// The reader has taken what waited.
    func resume() { preconditionFailure("of a subclass") }
    /// Ends the call at once, and closes its connection; `finish` is called before it returns.
    func abort() { preconditionFailure("of a subclass") }
    /// Nobody uses this object any more.
    func recycle() { clear() }
    /// The head that has come, once it is complete.
    func readHead() {}
    var mediaType: String { "" }
    /// A body is on its way to the vendor, which may take its time.
    var isSending: Bool { false }
    /// Somebody else looks after the whole time.
    var hasTotalElsewhere: Bool { true }
    /// The call is past its connection, so what is over is the whole time.
    var isConnected: Bool { hasBegun }

    // MARK: Start and end

    func start(at endpoint: Endpoint, by deadline: (any AnswerDeadline)? = nil) {
        startedAt = loop.now
        self.endpoint = endpoint
        totalAt = wholeAt
        guard let deadline else { return }
        self.deadline = deadline
        totalAt = min(totalAt, deadline.endsAt)
    }

    /// So much of the whole time does not count.
    func postponeTotal(byNanoseconds delay: UInt64) { totalAt += delay }

    private var wholeAt: LoopTime { hasTotalElsewhere ? .distantFuture : startedAt + totalNanoseconds }

    /// Makes it as new, but for what is set at its start.
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

    /// The transfer is over, or taken out.
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

    /// Frees what the call held.
    func clear() {
        received.release()
        answerHold = nil
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

    /// Waits until the answer's head is complete or the transfer ended.
    func waitForHead() async throws(TransportError) {
        while !isHeadComplete, finished == nil, failure == nil, !Task.isCancelled { await waiter.wait() }
        try check()
        readHead()
    }

    /// Waits until the transfer ended.
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

    /// The endpoint, where its name may be told: those under a rule are somebody else's word.
    private var named: Endpoint? { client.rule == nil ? endpoint : nil }

    private func error(_ code: CURLcode) -> TransportError {
        // libcurl has one code for both; its clock is read a little apart from the loop's.
        let elapsed = loop.now.nanoseconds(since: startedAt) + 50_000_000
        let isTotal = isConnected || elapsed >= totalNanoseconds
        return TransportError(code, isWholeTimeOver: isTotal, at: named)
    }

    private var totalNanoseconds: UInt64 { UInt64(endpoint?.options.totalMilliseconds ?? 0) * 1_000_000 }

    /// The vendor's time runs from now on.
    func limitAnew() {
        guard let options = endpoint?.options else { return }
        limit(after: hasBegun ? options.idleMilliseconds : options.firstByteMilliseconds)
    }

    func limit(after milliseconds: Int) {
        limitAt = loop.now.adding(milliseconds: milliseconds)
        arm(at: nextDeadline)
    }

    func unlimit() { limitAt = .distantFuture }

    /// When `timerFired` is to be called.
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

    /// At `totalAt`. False: its answer has begun in time, so it has the whole time.
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

    /// The answer is not longer than is wanted, with `count` bytes more; else the call has failed.
    func isWithinLimit(with count: Int = 0) -> Bool {
        guard !isStreamed, received.count + count > endpoint?.options.answerLimitBytes ?? 0 else { return true }
        failure = TransportError(.tooLarge, at: named)
        return false
    }

    /// There is memory for `count` bytes more of the answer; else the call has failed.
    func hasRoom(for count: Int) -> Bool {
        let count = received.count + count
        guard !isStreamed, count > MemoryBudget.smallBytes, !holds(count) else { return true }
        failure = TransportError(.overloaded)
        return false
    }

    private func holds(_ count: Int) -> Bool {
        (budget?.covers(count, &answerHold) ?? true) && received.canReserve(count - received.count)
    }

    /// Bytes of the body have come into `received`.
    func hasReceived() {
        hasBegun = true
        limitAnew()
        if isStreamed { waiter.wake() }
    }

    func takeBody() -> Body {
        var whole = ByteBuffer()
        swap(&whole, &received)
        defer { answerHold = nil }
        return Body(whole, answerHold)
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

    func take(into buffer: inout ByteBuffer) {
        swap(&buffer, &received)
        guard isPaused else { return }
        isPaused = false
        limitAnew()
        resume()
    }
}

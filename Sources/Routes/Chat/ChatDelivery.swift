import Engine
import Limits
import Shared
import Upstream
import UsageRecords

/// The time without a byte from the vendor after which the client gets a ping, in nanoseconds.
private let patienceNanoseconds: UInt64 = 10_000_000_000

/// The delivery of a streamed response. The second task of the request runs it when a vendor has begun the response;
/// until then, it only sends pings.
final class ChatDelivery: Delivery, TimerTarget, OnLoop, @unchecked Sendable {
    let writer: any ChatStreamWriter
    let wanted: FormatterOptions
    private let exchange: Exchange
    /// The timer of the next ping; nil if no pings are sent.
    private var timer: Timer?
    /// The response that a vendor has begun; nil before `begin`.
    private var open: OpenChat?
    /// Ends the request's reservation when the delivery is over.
    private var admission: Admission?
    private var accumulator = TokenCountAccumulator(.estimating)
    /// A bit set of the choices that have ended: bit 0 stands for choice 0.
    private var finished: UInt64 = 0
    /// The time of the first output; nil before it.
    private var firstOutput: LoopTime?
    private var isReasoningHidden = true
    /// The time for which the delivery has waited for the client, in nanoseconds.
    private var waitedNanoseconds: UInt64 = 0
    private var outputBytes = 0
    /// The bytes of the largest piece of output.
    private var pieceBytes = 0
    /// The meter of the output; nil if no limit needs one.
    private var meter: OutputMeter?
    /// The number of bytes at which the meter is asked; `.max` without one.
    private var meteredBytes = Int.max

    init(to writer: any ChatStreamWriter, _ wanted: FormatterOptions, _ exchange: Exchange) {
        self.writer = writer
        self.wanted = wanted
        self.exchange = exchange
    }

    // MARK: Before the response has begun

    /// Sends pings to the client from now on.
    func startPings() {
        let (timer, loop) = (timer ?? Timer(self), exchange.gateway.loop)
        self.timer = timer
        loop.arm(timer, at: loop.now + patienceNanoseconds)
    }

    func stopPings() {
        if let timer { exchange.gateway.loop.remove(timer) }
        timer = nil
    }

    func timerFired() {
        writer.ping()
        writer.flush()
        startPings()
    }

    /// Takes the response that a vendor has begun. `run` sends it.
    func begin(_ open: OpenChat, _ admission: consuming Admission) {
        self.open = open
        writer.expect(.estimated(open))
        self.admission = consume admission
        if !open.stream.countsItself { accumulator = TokenCountAccumulator(open.count.counter) }
        meter = exchange.billing.flatMap { OutputMeter($0, on: exchange.gateway.loop) }
        if let meter { meteredBytes = meter.nextBytes }
    }

    // MARK: The response

    /// Sends the response to the client while it arrives, and ends the request.
    ///
    /// If the vendor fails, the chunks that arrived before the failure are sent first.
    func run() async {
        guard let open else { return }
        do throws(UpstreamError) {
            if let limit = open.limit {
                try await TimedCall(by: open.loop).result(until: limit.end, orFailFor: limit.cause) {
                    [self] () async throws(UpstreamError) in try await passOn(open)
                }
            } else {
                try await passOn(open)
            }
            await end(open)
        } catch {
            if meter != nil, error.isOfBudget { await endEarly(open) } else { fail(error, open) }
        }
        // The limits are settled before the request is counted.
        admission = nil
        exchange.finish()
    }

    private func end(_ open: OpenChat) async {
        let usage = open.completed(bytes: outputBytes) { accumulator.tokens }
        exchange.record.usage = usage
        if let firstOutput {
            let hidden = isReasoningHidden ? usage.reasoningTokens : 0
            open.attempt.recordPace(usage, firstOutput: firstOutput, stalled: waitedNanoseconds, hiddenTokens: hidden)
        }
        await writer.end(usage)
        open.ended?(usage, nil)
    }

    /// Ends the response because its budget is used up, as if it had met the client's own limit.
    @inline(never)  // Rarely called.
    private func endEarly(_ open: OpenChat) async {
        for choice in 0..<wanted.choices where finished & 1 << UInt64(truncatingIfNeeded: choice) == 0 {
            writer.finishEarly(choice)
        }
        let usage = open.endedEarly(deliveredTokens: accumulator.tokens)
        exchange.record.usage = usage
        exchange.record.cause = UsageRecord.budgetCause
        if let limit = meter?.limit { exchange.gateway.counts.count(budgetEndOf: limit.quota.unit) }
        await writer.end(usage)
        open.ended?(usage, nil)
    }

    @inline(never)  // Rarely called.
    private func fail(_ error: UpstreamError, _ open: OpenChat) {
        let (failure, used) = open.brokeOff(error, deliveredTokens: accumulator.tokens)
        exchange.record.usage = used
        exchange.fail(APIError(failure, model: wanted.model))
    }

    private func passOn(_ open: OpenChat) async throws(UpstreamError) {
        let stream = open.stream
        defer {
            // Bytes that came before a failure are sent, too.
            writer.flush()
            stream.stop()
        }
        var mayHaveMore = false
        if let log = open.beginning.take() {
            while log.next({ write($0, $1) }) {}
            mayHaveMore = true
        }
        reading: while !open.isWhole {
            if !mayHaveMore {
                if accumulator.isBehind { await catchUp(open.count) }
                switch try await stream.more(patienceNanoseconds: patienceNanoseconds) {
                case .end: break reading
                case .silence: writer.ping()
                case .bytes: break
                }
            }
            mayHaveMore = false
            while !mayHaveMore, try stream.next({ write($0, $1) }) {
                mayHaveMore = writer.isFull || outputBytes >= meteredBytes
            }
            writer.flush()
            if let failure = writer.failure { throw failure }
            if meteredBytes != .max, try await isOver(stream) {
                throw UpstreamError(ofBudget: APIError(429, "the budget is used up"))
            }
            if exchange.writer.isFull { await waitForClient() }
            // After the first events, which do not wait for it.
            open.count.countUnreported()
        }
        finish()
    }

    /// Waits until the client has read enough. After five seconds of such waits, goes on without the client while other
    /// requests wait for the response. The client's output then waits in memory.
    private func waitForClient() async {
        let (loop, slowNanoseconds) = (exchange.gateway.loop, UInt64(5_000_000_000))
        while exchange.writer.isFull, !Task.isCancelled {
            let isSlow = waitedNanoseconds >= slowNanoseconds
            if isSlow, exchange.lookup?.isAwaited(unsentBytes: exchange.writer.unsentBytes) == true { return }
            let start = loop.now
            await exchange.writer.drained(by: start + (isSlow ? slowNanoseconds : slowNanoseconds - waitedNanoseconds))
            waitedNanoseconds += loop.now.nanoseconds(since: start)
        }
    }

    /// Returns whether nothing is left for the rest of the response.
    @inline(never)  // Called only under limits of tokens, dollars or credits.
    private func isOver(_ stream: any ChatStream) async throws(UpstreamError) -> Bool {
        guard let meter, finished.nonzeroBitCount < wanted.choices else { return false }
        let reported = stream.usage?.completionTokens
        guard outputBytes >= meteredBytes || meter.isBehind(reported) else { return false }
        let isExact = accumulator.counter.isExact
        let isOver = await meter.isOver(
            outputBytes,
            pieceBytes: pieceBytes,
            isExact: isExact,
            { accumulator.tokens },
            reported: reported
        )
        meteredBytes = meter.nextBytes
        return isOver
    }

    private func catchUp(_ count: CallCount) async {
        let text = accumulator.removeUncounted()
        accumulator.putBack(text, await count.counted(text))
    }

    private func write(_ choice: Int, _ event: ChatEvent) {
        switch event {
        case .text(let text, _), .reasoning(let text), .refusal(let text), .toolArguments(_, let text):
            accumulator.add(text)
            if firstOutput == nil { firstOutput = exchange.gateway.loop.now }
            if case .reasoning = event { isReasoningHidden = false }
            outputBytes += text.count
            if text.count > pieceBytes { pieceBytes = text.count }
        case .toolCall(_, _, let name): accumulator.add(name)
        case .finish: finished |= 1 << UInt64(truncatingIfNeeded: choice)
        default: break
        }
        writer.write(choice, event)
    }

    /// Ends the choices whose end the vendor did not report.
    private func finish() {
        for choice in 0..<wanted.choices where finished & 1 << UInt64(truncatingIfNeeded: choice) == 0 {
            writer.write(choice, .finish(.stop, stop: nil))
        }
    }
}

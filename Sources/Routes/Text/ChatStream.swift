import Calls
import Engine
import Shared
import Upstream

/// A streamed response that a vendor has begun.
struct OpenResponse: Sendable {
    var stream: any ChatStream
    /// The estimated number of prompt tokens in the request.
    let promptTokens: Int
    let count: CallCount
    /// Whether the stream itself bills the usage to the billing. If false, the delivery of the response bills it.
    let isBilled: Bool
    let attempt: Attempt
}

/// A streamed response that a vendor has begun, with the writer that sends it to the client.
///
/// `@unchecked`: used on the event loop of its request only.
final class OpenChat: @unchecked Sendable {
    let response: OpenResponse
    let writer: any ChatStreamWriter
    let wanted: FormatterOptions
    /// The admission of the request; nil if another object holds the admission.
    let admission: Admission?

    init(
        _ response: OpenResponse,
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        admission: consuming Admission? = nil
    ) {
        self.response = response
        self.writer = writer
        self.wanted = wanted
        self.admission = admission
    }
}

/// The time without a byte from the vendor after which the client gets a ping, in nanoseconds.
private let patienceNanoseconds: UInt64 = 10_000_000_000

/// Sends a streamed response to the client while it arrives.
///
/// Throws if the vendor fails. The chunks that arrived before the failure are sent first.
@inline(never)
func deliver(_ open: OpenChat, _ exchange: Exchange) async throws(UpstreamError) {
    let delivery = Delivery(open)
    do throws(UpstreamError) {
        try await delivery.passOn()
    } catch {
        let (failure, used) = delivery.failed(error)
        exchange.record.usage = used
        throw failure
    }
    let usage = delivery.ended()
    exchange.record.usage = usage
    await open.writer.end(usage)
}

/// The transfer of one streamed response to the client.
private final class Delivery {
    private let response: OpenResponse
    private let writer: any ChatStreamWriter
    private let choices: Int
    private var accumulator: TokenCountAccumulator
    /// A bit set of the choices that have ended: bit 0 stands for choice 0.
    private var finished: UInt64 = 0

    init(_ open: OpenChat) {
        response = open.response
        writer = open.writer
        choices = open.wanted.choices
        accumulator = TokenCountAccumulator(response.stream.countsItself ? .estimating : response.count.counter)
    }

    func passOn() async throws(UpstreamError) {
        let stream = response.stream
        defer {
            // Bytes that came before a failure are sent, too.
            writer.flushNow()
            stream.stop()
        }
        reading: while true {
            if accumulator.isBehind { await catchUp() }
            switch try await stream.more(patienceNanoseconds: patienceNanoseconds) {
            case .end: break reading
            case .silence: writer.ping()
            case .bytes:
                while try stream.next({ write($0, $1) }) {
                    if writer.isFull { try await writer.flush() }
                }
            }
            try await writer.flush()
        }
        finish()
    }

    private func catchUp() async {
        let text = accumulator.removeUncounted()
        accumulator.putBack(text, await response.count.counted(text))
    }

    private func write(_ choice: Int, _ event: ChatEvent) {
        switch event {
        case .text(let text, _), .reasoning(let text), .refusal(let text), .toolArguments(_, let text):
            accumulator.add(text)
        case .finish: finished |= 1 << UInt64(truncatingIfNeeded: choice)
        default: break
        }
        writer.write(choice, event)
    }

    /// Ends the choices whose end the vendor did not report.
    @inline(never)
    private func finish() {
        for choice in 0..<choices where finished & 1 << UInt64(truncatingIfNeeded: choice) == 0 {
            writer.write(choice, .finish(.stop, stop: nil))
        }
    }

    /// Bills a response that failed after it had begun.
    ///
    /// Returns the error for the client and the usage. The usage is nil if nothing was used.
    @inline(never)
    func failed(_ error: UpstreamError) -> (UpstreamError, Usage?) {
        var used = error.usage ?? response.stream.usage ?? .nothing
        if used.promptTokens == 0 {
            used.promptTokens = response.count.knownPromptTokens(or: response.promptTokens)
            used.isEstimated = true
        }
        used.cover(delivered: accumulator.tokens)
        if !response.isBilled { response.attempt.failed(error, after: used) }
        let isUsed = used.completionTokens > 0 || error.mayBeBilled
        return (response.attempt.failure(error), isUsed ? used + response.attempt.billing.unmet : nil)
    }

    /// Bills the complete response, and returns its usage.
    @inline(never)
    func ended() -> Usage {
        let reported = response.stream.usage
        response.count.learn(from: reported)
        let usage = response.count.completed(
            reported,
            prompt: { response.count.promptTokens(or: response.promptTokens) },
            completion: { accumulator.tokens }
        )
        if !response.isBilled { response.attempt.recordResponse(usage, credits: response.stream.credits) }
        response.attempt.served()
        return usage + response.attempt.billing.unmet
    }
}

/// A timer that sends pings to the client during a wait. `stop` ends the timer.
///
/// `@unchecked`: used on its event loop only.
final class Pinging: TimerTarget, @unchecked Sendable {
    private let writer: any ChatStreamWriter
    private let loop: EventLoop
    private lazy var timer = Timer(self)

    init(_ writer: any ChatStreamWriter, _ loop: EventLoop) {
        self.writer = writer
        self.loop = loop
        start()
    }

    private func start() { loop.arm(timer, at: loop.now + patienceNanoseconds) }

    func timerFired() {
        writer.ping()
        writer.flushNow()
        start()
    }

    func stop() { loop.remove(timer) }
}

import Calls
import Engine
import Shared
import Upstream

/// A response that a vendor has begun.
struct OpenAnswer: Sendable {
    var stream: any ChatAnswerStream
    /// The estimated number of prompt tokens.
    let promptTokens: Int
    let count: CallCount
    /// Whether the stream bills its sheet itself.
    let isBilled: Bool
    let vendorCall: VendorCall
}

/// A streamed response that has begun, with the writer that sends it to the client.
///
/// `@unchecked`: used on its request's loop only.
final class OpenChat: @unchecked Sendable {
    let answer: OpenAnswer
    let writer: any AnswerWriter
    let wanted: WantedAnswer
    /// The admission of the request; nil if it is kept elsewhere.
    let admission: Admission?

    init(
        _ answer: OpenAnswer,
        to writer: any AnswerWriter,
        _ wanted: WantedAnswer,
        _ admission: consuming Admission? = nil
    ) {
        self.answer = answer
        self.writer = writer
        self.wanted = wanted
        self.admission = admission
    }
}

/// The time without a byte from the vendor after which the client gets a ping.
private let patienceNanoseconds: UInt64 = 10_000_000_000

/// Sends a response to the client as it arrives. A failure before the first chunk is thrown before anything is sent.
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

/// The delivery of one response, with the choices that have ended and the tokens that were delivered so far.
private final class Delivery {
    private let answer: OpenAnswer
    private let writer: any AnswerWriter
    private let choices: Int
    private var accumulator: TokenCountAccumulator
    /// A bit set of the choices that have ended.
    private var finished: UInt64 = 0

    init(_ open: OpenChat) {
        answer = open.answer
        writer = open.writer
        choices = open.wanted.choices
        accumulator = TokenCountAccumulator(answer.stream.countsItself ? .estimating : answer.count.counter)
    }

    func passOn() async throws(UpstreamError) {
        let stream = answer.stream
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
        let text = accumulator.takeOut()
        accumulator.putBack(text, await answer.count.counted(text))
    }

    private func write(_ choice: Int, _ event: AnswerEvent) {
        switch event {
        case .text(let text, _), .reasoning(let text), .refusal(let text), .toolArguments(_, let text):
            accumulator.add(text)
        case .finish: finished |= 1 << UInt64(truncatingIfNeeded: choice)
        default: break
        }
        writer.write(choice, event)
    }

    /// Ends the choices that the vendor did not end itself.
    @inline(never)
    private func finish() {
        for choice in 0..<choices where finished & 1 << UInt64(truncatingIfNeeded: choice) == 0 {
            writer.write(choice, .finish(.stop, stop: nil))
        }
    }

    /// Bills the tokens that were delivered or that the vendor reported. Returns the failure for the client and the
    /// usage; the usage is nil if nothing was used.
    @inline(never)
    func failed(_ error: UpstreamError) -> (UpstreamError, Usage?) {
        var used = error.usage ?? answer.stream.usage ?? .nothing
        if used.promptTokens == 0 { used.promptTokens = answer.count.knownPromptTokens(or: answer.promptTokens) }
        used.completionTokens = max(used.completionTokens, accumulator.tokens)
        if !answer.isBilled { answer.vendorCall.failed(error, after: used) }
        let isUsed = used.completionTokens > 0 || error.mayBeBilled
        return (answer.vendorCall.failure(error), isUsed ? used + answer.vendorCall.sheet.unmet : nil)
    }

    /// Bills the complete response. Returns its usage, counted if the vendor did not report it.
    @inline(never)
    func ended() -> Usage {
        let reported = answer.stream.usage
        answer.count.learn(from: reported)
        let usage = answer.count.completed(
            reported,
            prompt: { answer.count.promptTokens(or: answer.promptTokens) },
            completion: { accumulator.tokens }
        )
        if !answer.isBilled { answer.vendorCall.answered(usage, credits: answer.stream.credits) }
        answer.vendorCall.served()
        return usage + answer.vendorCall.sheet.unmet
    }
}

/// Sends pings to the client before the vendor's response begins. Image and speech models begin only when all is done.
///
/// `@unchecked`: used on its loop only.
final class Pinging: TimerTarget, @unchecked Sendable {
    private let writer: any AnswerWriter
    private let loop: EventLoop
    private lazy var timer = Timer(self)

    init(_ writer: any AnswerWriter, _ loop: EventLoop) {
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

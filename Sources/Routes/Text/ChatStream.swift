import Calls
import Engine
import Shared
import Upstream

/// An answer that a vendor has begun.
struct OpenAnswer: Sendable {
    var stream: any ChatAnswerStream
    /// Estimated.
    let promptTokens: Int
    let count: CallCount
    /// It tells its sheet what it used.
    let isBilled: Bool
    let vendorCall: VendorCall
}

/// A streamed answer that has begun, and who takes it.
///
/// `@unchecked`: used on its request's loop only.
final class OpenChat: @unchecked Sendable {
    let answer: OpenAnswer
    let writer: any AnswerWriter
    let wanted: WantedAnswer
    /// Of its request; nil: it is kept elsewhere.
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

/// After this long without a byte of the vendor's the client is shown that the relay is alive.
private let patienceNanoseconds: UInt64 = 10_000_000_000

/// Passes an answer on as it comes. A failure before its first piece is thrown before anything was sent.
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

/// The passing on of one answer, and what of it was handed to the client so far.
private final class Delivery {
    private let answer: OpenAnswer
    private let writer: any AnswerWriter
    private let choices: Int
    private var tally: TokenTally
    /// Bits of choices that have ended.
    private var finished: UInt64 = 0

    init(_ open: OpenChat) {
        answer = open.answer
        writer = open.writer
        choices = open.wanted.choices
        tally = TokenTally(answer.stream.countsItself ? .estimating : answer.count.counter)
    }

    func passOn() async throws(UpstreamError) {
        let stream = answer.stream
        defer {
            // Bytes that came before a failure are passed on all the same.
            writer.flushNow()
            stream.stop()
        }
        reading: while true {
            if tally.isBehind { await catchUp() }
            switch try await stream.more(patienceNanoseconds: patienceNanoseconds) {
            case .end: break reading
            case .silence: writer.ping()
            case .bytes:
                while try stream.next({ take($0, $1) }) {
                    if writer.isFull { try await writer.flush() }
                }
            }
            try await writer.flush()
        }
        finish()
    }

    private func catchUp() async {
        let text = tally.takeOut()
        tally.putBack(text, await answer.count.counted(text))
    }

    private func take(_ choice: Int, _ event: AnswerEvent) {
        switch event {
        case .text(let text, _), .reasoning(let text), .refusal(let text), .toolArguments(_, let text): tally.add(text)
        case .finish: finished |= 1 << UInt64(truncatingIfNeeded: choice)
        default: break
        }
        writer.take(choice, event)
    }

    /// Ends choices whose vendor did not say that they have ended.
    @inline(never)
    private func finish() {
        for choice in 0..<choices where finished & 1 << UInt64(truncatingIfNeeded: choice) == 0 {
            writer.take(choice, .finish(.stop, stop: nil))
        }
    }

    /// Bills what was delivered, or what the vendor told of it already; the failure as the client is told of it, and what
    /// was used.
    @inline(never)
    func failed(_ error: UpstreamError) -> (UpstreamError, Usage?) {
        var used = error.usage ?? answer.stream.usage ?? .nothing
        if used.promptTokens == 0 { used.promptTokens = answer.count.knownPromptTokens(or: answer.promptTokens) }
        used.completionTokens = max(used.completionTokens, tally.tokens)
        if !answer.isBilled { answer.vendorCall.failed(error, after: used) }
        let isUsed = used.completionTokens > 0 || error.mayBeBilled
        return (answer.vendorCall.failure(error), isUsed ? used + answer.vendorCall.sheet.unmet : nil)
    }

    /// Bills the whole answer; its usage, counted where the vendor does not tell it.
    @inline(never)
    func ended() -> Usage {
        let reported = answer.stream.usage
        answer.count.learn(from: reported)
        let usage = answer.count.completed(
            reported,
            prompt: { answer.count.promptTokens(or: answer.promptTokens) },
            completion: { tally.tokens }
        )
        if !answer.isBilled { answer.vendorCall.answered(usage, credits: answer.stream.credits) }
        answer.vendorCall.served()
        return usage + answer.vendorCall.sheet.unmet
    }
}

/// Pings while the vendor has not even begun to answer, as it does only at the end with images and speech.
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

import Calls
import Engine
import Shared
import Upstream

/// An answer that a vendor has begun.
struct OpenAnswer: Sendable {
    let stream: any ChatAnswerStream
    /// Estimated.
    let promptTokens: Int
    let count: CallCount
    /// It tells its sheet what it used.
    let isBilled: Bool
    let credential: Credential
}

/// After this long without a byte of the vendor's the client is shown that the relay is alive.
private let patienceNanoseconds: UInt64 = 10_000_000_000

/// Passes an answer on as it comes. A failure before its first piece is thrown before anything was sent.
func deliver(
    _ answer: OpenAnswer,
    to writer: any AnswerWriter,
    _ wanted: WantedAnswer,
    _ sheet: CallSheet,
    _ exchange: Exchange
) async throws(UpstreamError) {
    let stream = answer.stream
    let delivery = Delivery(writer, stream.countsItself ? .estimating : answer.count.counter)
    do throws(UpstreamError) {
        defer {
            // Bytes that came before a failure are passed on all the same.
            writer.flushNow()
            stream.stop()
        }
        reading: while true {
            if delivery.tally.isBehind { await delivery.catchUp(answer.count) }
            switch try await stream.more(patienceNanoseconds: patienceNanoseconds) {
            case .end: break reading
            case .silence: writer.ping()
            case .bytes:
                while try stream.next({ delivery.take($0, $1) }) {
                    if writer.isFull { await writer.flush() }
                }
            }
            await writer.flush()
        }
        delivery.finish(wanted.choices)
    } catch {
        let delivered = Usage(
            promptTokens: answer.count.knownPromptTokens(or: answer.promptTokens),
            completionTokens: delivery.tally.tokens
        )
        if !answer.isBilled { sheet.failed(error, after: delivered) }
        var error = error
        error.credential = answer.credential
        throw error
    }
    var usage = Usage(
        promptTokens: stream.usage?.promptTokens ?? answer.count.promptTokens(or: answer.promptTokens),
        completionTokens: stream.usage?.completionTokens ?? delivery.tally.tokens
    )
    if let told = stream.usage {
        usage.cachedTokens = told.cachedTokens
        usage.reasoningTokens = told.reasoningTokens
    }
    if !answer.isBilled { sheet.answered(usage, credits: stream.credits) }
    exchange.record.usage = usage
    await writer.end(usage)
}

/// The part of an answer that was handed to the client so far.
private final class Delivery {
    private let writer: any AnswerWriter
    private(set) var tally: TokenTally
    /// Bits of choices that have ended.
    private var finished: UInt64 = 0

    init(_ writer: any AnswerWriter, _ counter: TokenCounter) {
        self.writer = writer
        tally = TokenTally(counter)
    }

    func catchUp(_ count: CallCount) async {
        let text = tally.takeOut()
        tally.putBack(text, await count.counted(text))
    }

    func take(_ choice: Int, _ event: AnswerEvent) {
        switch event {
        case .text(let text), .reasoning(let text), .refusal(let text), .toolArguments(_, let text): tally.add(text)
        case .finish: finished |= 1 << UInt64(truncatingIfNeeded: choice)
        default: break
        }
        writer.take(choice, event)
    }

    /// Ends choices whose vendor did not say that they have ended.
    func finish(_ choices: Int) {
        for choice in 0..<choices where finished & 1 << UInt64(truncatingIfNeeded: choice) == 0 {
            writer.take(choice, .finish(.stop, stop: nil))
        }
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

    private func start() { loop.arm(timer, at: loop.nowNanoseconds + patienceNanoseconds) }

    func timerFired() {
        writer.ping()
        writer.flushNow()
        start()
    }

    func stop() { loop.remove(timer) }
}

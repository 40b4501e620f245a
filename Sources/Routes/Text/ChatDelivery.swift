import Calls
import Engine
import Shared
import Upstream

/// The time without a byte from the vendor after which the client gets a ping, in nanoseconds.
private let patienceNanoseconds: UInt64 = 10_000_000_000

/// The delivery of a streamed response that a vendor has begun.
final class ChatDelivery: OnLoop, @unchecked Sendable {
    private let stream: any ChatStream
    /// The estimated number of prompt tokens in the request.
    private let promptTokens: Int
    private let count: CallCount
    /// Whether the stream itself bills the usage to the billing. If false, the delivery bills it.
    private let isBilled: Bool
    private let attempt: Attempt
    /// The attempts of the request, which get to know how the response ends; nil if there was only one candidate.
    var attempts: Attempts?
    /// A function that gets the usage of the complete response, or its failure; nil if not needed.
    var ended: ((Usage?, UpstreamError?) -> Void)?
    /// The time at which the delivery ends, and the cause of its failure then; nil without a limit.
    var limit: (end: LoopTime, cause: String)?
    /// The events that have arrived before the delivery; nil if there are none.
    private var beginning: EventLog?
    /// Whether the stream has ended before the delivery.
    private var isWhole = false
    private var accumulator: TokenCountAccumulator
    /// A bit set of the choices that have ended: bit 0 stands for choice 0.
    private var finished: UInt64 = 0

    init(
        _ stream: any ChatStream,
        promptTokens: Int,
        count: CallCount,
        isBilled: Bool,
        attempt: Attempt
    ) {
        self.stream = stream
        self.promptTokens = promptTokens
        self.count = count
        self.isBilled = isBilled
        self.attempt = attempt
        accumulator = TokenCountAccumulator(stream.countsItself ? .estimating : count.counter)
    }

    /// Waits for the first event. Until then, another call can replace this one.
    func waitForEvent() async throws(UpstreamError) {
        let log = EventLog()
        do throws(UpstreamError) {
            while !isWhole {
                while log.isEmpty, try stream.next({ log.append($0, $1) }) {}
                if !log.isEmpty { break }
                isWhole = try await stream.more(patienceNanoseconds: .max / 4) == .end
            }
        } catch {
            stream.stop()
            throw failure(error).0
        }
        if !log.isEmpty { beginning = log }
    }

    /// Sends the response to the client while it arrives.
    ///
    /// Throws if the vendor fails. The chunks that arrived before the failure are sent first.
    func run(
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        _ exchange: Exchange
    ) async throws(UpstreamError) {
        do throws(UpstreamError) {
            try await passOnInTime(to: writer, choices: wanted.choices)
        } catch {
            let (failure, used) = self.failure(error)
            exchange.record.usage = used
            ended?(nil, failure)
            throw attempts?.brokeOff(failure) ?? failure
        }
        let usage = billed()
        exchange.record.usage = usage
        await writer.end(usage)
        ended?(usage, nil)
    }

    private func passOnInTime(to writer: any ChatStreamWriter, choices: Int) async throws(UpstreamError) {
        guard let limit else { return try await passOn(to: writer, choices: choices) }
        try await TimedCall(by: attempt.loop).run(until: limit.end, orFailFor: limit.cause) {
            [self] () async throws(UpstreamError) in
            try await passOn(to: writer, choices: choices)
        }
    }

    private func passOn(to writer: any ChatStreamWriter, choices: Int) async throws(UpstreamError) {
        defer {
            // Bytes that came before a failure are sent, too.
            writer.flushNow()
            stream.stop()
        }
        var mayHaveMore = false
        if let log = beginning.take() {
            while log.next({ write($0, $1, to: writer) }) {}
            mayHaveMore = true
        }
        reading: while !isWhole {
            if !mayHaveMore {
                if accumulator.isBehind { await catchUp() }
                switch try await stream.more(patienceNanoseconds: patienceNanoseconds) {
                case .end: break reading
                case .silence: writer.ping()
                case .bytes: break
                }
            }
            mayHaveMore = false
            while try stream.next({ write($0, $1, to: writer) }) {
                if writer.isFull { try await writer.flush() }
            }
            try await writer.flush()
        }
        finish(choices, writer)
    }

    private func catchUp() async {
        let text = accumulator.removeUncounted()
        accumulator.putBack(text, await count.counted(text))
    }

    private func write(_ choice: Int, _ event: ChatEvent, to writer: any ChatStreamWriter) {
        switch event {
        case .text(let text, _), .reasoning(let text), .refusal(let text), .toolArguments(_, let text):
            accumulator.add(text)
        case .finish: finished |= 1 << UInt64(truncatingIfNeeded: choice)
        default: break
        }
        writer.write(choice, event)
    }

    /// Ends the choices whose end the vendor did not report.
    private func finish(_ choices: Int, _ writer: any ChatStreamWriter) {
        for choice in 0..<choices where finished & 1 << UInt64(truncatingIfNeeded: choice) == 0 {
            writer.write(choice, .finish(.stop, stop: nil))
        }
    }

    /// Bills a response that failed after it had begun.
    ///
    /// Returns the error for the client and the usage. The usage is nil if nothing was used.
    private func failure(_ error: UpstreamError) -> (UpstreamError, Usage?) {
        var used = error.usage ?? stream.usage ?? .nothing
        if used.promptTokens == 0 {
            used.promptTokens = count.knownPromptTokens(or: promptTokens)
            used.isEstimated = true
        }
        used.cover(delivered: accumulator.tokens)
        if !isBilled { attempt.failed(error, after: used) }
        let isUsed = used.completionTokens > 0 || error.mayBeBilled
        return (attempt.failure(error), isUsed ? used + attempt.billing.unmet : nil)
    }

    /// Bills the complete response, and returns its usage.
    private func billed() -> Usage {
        let reported = stream.usage
        count.learn(from: reported)
        let usage = count.completed(
            reported,
            prompt: { count.promptTokens(or: promptTokens) },
            completion: { accumulator.tokens }
        )
        if !isBilled { attempt.recordResponse(usage, credits: stream.credits) }
        if let attempts { attempts.served() } else { attempt.served() }
        return usage + attempt.billing.unmet
    }
}

/// A timer that sends pings to the client during a wait. `stop` ends the timer.
final class Pinging: TimerTarget, OnLoop, @unchecked Sendable {
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

import Calls
import Engine
import Shared
import Upstream

/// The time without a byte from the vendor after which the client gets a ping, in nanoseconds.
private let patienceNanoseconds: UInt64 = 10_000_000_000

/// The delivery of a streamed response that a vendor has begun. The second task of the request runs it.
final class ChatDelivery: Delivery, OnLoop, @unchecked Sendable {
    private let open: OpenChat
    private let writer: any ChatStreamWriter
    private let wanted: FormatterOptions
    private let exchange: Exchange
    /// Ends the request's reservation when the delivery is over.
    private var admission: Admission?
    private var accumulator: TokenCountAccumulator
    /// A bit set of the choices that have ended: bit 0 stands for choice 0.
    private var finished: UInt64 = 0

    init(
        _ open: OpenChat,
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        _ admission: consuming Admission,
        _ exchange: Exchange
    ) {
        self.open = open
        self.writer = writer
        self.wanted = wanted
        self.admission = consume admission
        self.exchange = exchange
        accumulator = TokenCountAccumulator(open.stream.countsItself ? .estimating : open.count.counter)
    }

    /// Sends the response to the client while it arrives, and ends the request.
    ///
    /// If the vendor fails, the chunks that arrived before the failure are sent first.
    func run() async {
        do throws(UpstreamError) {
            try await passOnInTime()
            await end()
        } catch {
            fail(error)
        }
        // The limits are settled before the request is counted.
        admission = nil
        exchange.finish()
    }

    /// Completes the response.
    private func end() async {
        let usage = open.completed { accumulator.tokens }
        exchange.record.usage = usage
        await writer.end(usage)
        open.ended?(usage, nil)
    }

    @inline(never)  // Rarely called.
    private func fail(_ error: UpstreamError) {
        let (failure, used) = open.brokeOff(error, deliveredTokens: accumulator.tokens)
        exchange.record.usage = used
        exchange.fail(APIError(failure, model: wanted.model))
    }

    private func passOnInTime() async throws(UpstreamError) {
        guard let limit = open.limit else { return try await passOn() }
        try await TimedCall(by: open.loop).run(until: limit.end, orFailFor: limit.cause) {
            [self] () async throws(UpstreamError) in try await passOn()
        }
    }

    private func passOn() async throws(UpstreamError) {
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
                if accumulator.isBehind { await catchUp() }
                switch try await stream.more(patienceNanoseconds: patienceNanoseconds) {
                case .end: break reading
                case .silence: writer.ping()
                case .bytes: break
                }
            }
            mayHaveMore = false
            while !mayHaveMore, try stream.next({ write($0, $1) }) { mayHaveMore = writer.isFull }
            writer.flush()
            if let failure = writer.failure { throw failure }
            if exchange.writer.isFull { await exchange.writer.drained() }
            // After the first events, which do not wait for it.
            open.count.countUnreported()
        }
        finish()
    }

    private func catchUp() async {
        let text = accumulator.removeUncounted()
        accumulator.putBack(text, await open.count.counted(text))
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
    private func finish() {
        for choice in 0..<wanted.choices where finished & 1 << UInt64(truncatingIfNeeded: choice) == 0 {
            writer.write(choice, .finish(.stop, stop: nil))
        }
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
        writer.flush()
        start()
    }

    func stop() { loop.remove(timer) }
}

import Calls
import Engine
import Shared
import Upstream

/// One attempt to stream a response: one vendor call to one candidate.
///
/// `@unchecked`: used on the event loop of its request only.
final class StreamedAttempt: @unchecked Sendable {
    private let plan: ChatPlan
    private let attempt: Attempt
    private let fallback: ChatFallback
    private let attempts: Attempts
    private var timed: TimedCall?

    init(_ plan: ChatPlan, _ attempt: Attempt, fallback: ChatFallback, attempts: Attempts) {
        self.plan = plan
        self.attempt = attempt
        self.fallback = fallback
        self.attempts = attempts
    }

    func stream(
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        _ exchange: Exchange,
        isLast: Bool
    ) async throws(UpstreamError) {
        var response = try await plan.opened(by: attempt, writer, isLast: isLast)
        response.stream = BeginningStream(response.stream) { [self] in begins() }
        try await deliver(OpenChat(response, to: writer, wanted), exchange)
    }

    /// Streams the response to the client. Throws if it has not begun when the time limit for all attempts ends.
    func timedStream(
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        _ exchange: Exchange
    ) async throws(UpstreamError) {
        let timed = TimedCall(by: attempt.loop)
        self.timed = timed
        try await timed.run(until: attempts.endsAt, orFailFor: UpstreamError.tooLate) {
            [self] () async throws(UpstreamError) in
            try await stream(to: writer, wanted, exchange, isLast: false)
        }
    }

    private func begins() {
        timed?.lift()
        attempts.begun()
        fallback.begins(attempt.billing)
    }
}

/// A stream that calls a closure right before the first event of another stream.
///
/// `@unchecked`: used on one event loop only.
private final class BeginningStream: ChatStream, @unchecked Sendable {
    private let stream: any ChatStream
    private var begins: (() -> Void)?

    init(_ stream: any ChatStream, _ begins: @escaping () -> Void) {
        self.stream = stream
        self.begins = begins
    }

    var usage: Usage? { stream.usage }
    var countsItself: Bool { stream.countsItself }
    var credits: Int? { stream.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        try await stream.more(patienceNanoseconds: patienceNanoseconds)
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard begins != nil else { return try stream.next(emit) }
        return try stream.next { choice, event in
            begins.take()?()
            emit(choice, event)
        }
    }

    func stop() { stream.stop() }
}

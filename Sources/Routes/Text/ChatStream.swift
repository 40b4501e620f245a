import Engine
import Shared
import Upstream

/// Passes an answer on as it comes. A failure before its first piece is thrown before anything was sent.
func streamChat(
    _ chat: consuming any PreparedChat,
    _ wanted: WantedAnswer,
    _ responder: Responder
) async throws(UpstreamError) {
    let chunks = ChatChunks(wanted, responder)
    var usages: [Usage] = []
    if wanted.choices == 1 {
        let estimate = chat.promptTokens
        let stream = try await open(chat, chunks, responder)
        _ = consume chat
        usages = [try await pass(stream, choice: 0, promptTokens: estimate, wanted, chunks, responder)]
    } else {
        let chat: any PreparedChat = chat
        usages = try await allChoices(wanted.choices) { (choice) async throws(UpstreamError) in
            let stream = try await open(chat, chunks, responder)
            return try await pass(stream, choice: choice, promptTokens: chat.promptTokens, wanted, chunks, responder)
        }
    }
    let usage = Usage(
        promptTokens: usages.first?.promptTokens ?? 0,
        completionTokens: usages.reduce(0) { $0 + $1.completionTokens }
    )
    responder.record.usage = usage
    await chunks.end(usage)
}

private func open(
    _ chat: any PreparedChat,
    _ chunks: ChatChunks,
    _ responder: Responder
) async throws(UpstreamError) -> any ChatStream {
    let pinging = Pinging(chunks, responder.gateway.loop)
    defer { pinging.stop() }
    do throws(UpstreamError) {
        return try await responder.attempt { () async throws(UpstreamError) in try await chat.stream() }
    } catch {
        responder.meter?.failed(error, after: Usage(promptTokens: chat.promptTokens, completionTokens: 0))
        throw error
    }
}

/// After this long without a byte of the vendor's the client is shown that the relay is alive.
private let patienceNanoseconds: UInt64 = 10_000_000_000

/// Pings while the vendor has not even begun to answer, as it does only at the end with images and speech.
///
/// `@unchecked`: used on its loop only.
private final class Pinging: TimerTarget, @unchecked Sendable {
    private let chunks: ChatChunks
    private let loop: EventLoop
    private lazy var timer = Timer(self)

    init(_ chunks: ChatChunks, _ loop: EventLoop) {
        self.chunks = chunks
        self.loop = loop
        start()
    }

    private func start() { loop.arm(timer, at: loop.nowNanoseconds + patienceNanoseconds) }

    func timerFired() {
        chunks.ping()
        chunks.flushNow()
        start()
    }

    func stop() { loop.remove(timer) }
}

/// Returns once the choice is complete; the finish reason is then in `chunks`.
private func pass(
    _ stream: any ChatStream,
    choice: Int,
    promptTokens: Int,
    _ wanted: WantedAnswer,
    _ chunks: ChatChunks,
    _ responder: Responder
) async throws(UpstreamError) -> Usage {
    defer {
        // What came before a failure is passed on all the same.
        chunks.flushNow()
        stream.stop()
    }
    var bound = OutputBound(stops: wanted.stops, maxTokens: wanted.maxTokens)
    do throws(UpstreamError) {
        reading: while bound.reason == nil {
            switch try await stream.more(patienceNanoseconds: patienceNanoseconds) {
            case .end: break reading
            case .silence: chunks.ping()
            case .bytes:
                while bound.reason == nil,
                    try stream.next({ piece in bound.take(piece) { chunks.add($0, to: choice) } })
                {
                    if chunks.isLarge { await chunks.flush() }
                }
            }
            await chunks.flush()
        }
    } catch {
        let delivered = Usage(promptTokens: promptTokens, completionTokens: bound.tokens)
        responder.meter?.failed(error, after: delivered)
        throw error
    }
    bound.finish { chunks.add($0, to: choice) }
    chunks.finish(choice, bound.reason ?? .stop)
    let counted = bound.reason == nil ? stream.usage : nil
    let usage = Usage(
        promptTokens: counted?.promptTokens ?? promptTokens,
        completionTokens: counted?.completionTokens ?? bound.tokens
    )
    responder.meter?.answered(usage, credits: stream.credits)
    return usage
}

import Engine
import Shared

/// A chat that ends the vendor's output before a stop sequence or after a number of tokens.
final class TruncatingChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    private let chat: any PreparedChat
    private let choices: Int
    private let limiter: @Sendable () -> OutputLimiter

    /// Creates a chat that limits the output of another chat. `limiter` makes the limiter of a choice.
    init(_ chat: any PreparedChat, choices: Int, _ limiter: @escaping @Sendable () -> OutputLimiter) {
        self.chat = chat
        self.choices = choices
        self.limiter = limiter
    }

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        let stream = try await chat.open(isStreamed: isStreamed, by: attempt)
        return TruncatingStream(stream, choices, isStreamed: isStreamed, limiter)
    }
}

/// A stream that ends the vendor's output before a stop sequence or after a number of tokens.
private final class TruncatingStream: ChatStream, OnLoop, @unchecked Sendable {
    private final class Choice {
        var bound: OutputLimiter
        var isOver = false

        init(_ bound: consuming OutputLimiter) { self.bound = bound }
    }

    private let stream: any ChatStream
    private let choices: [Choice]
    private let isStreamed: Bool
    private var isCut = false

    init(_ stream: any ChatStream, _ choices: Int, isStreamed: Bool, _ limiter: () -> OutputLimiter) {
        self.stream = stream
        self.isStreamed = isStreamed
        self.choices = (0..<choices).map { _ in Choice(limiter()) }
    }

    /// Whether all choices have ended and at least one of them was truncated.
    private var isOver: Bool { isCut && choices.allSatisfy(\.isOver) }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        isOver ? .end : try await stream.more(patienceNanoseconds: patienceNanoseconds)
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        if isOver { return false }
        return try stream.next { number, event in
            guard choices.indices.contains(number), case let choice = choices[number], !choice.isOver else { return }
            switch event {
            case .text(let piece, _):
                choice.bound.consume(piece) { emit(number, .text($0)) }
                guard let reason = choice.bound.reason else { return }
                isCut = true
                choice.isOver = true
                emit(number, .finish(reason, stop: choice.bound.stop.isEmpty ? nil : choice.bound.stop.bytes))
            case .finish(let reason, let stop):
                choice.bound.finish { emit(number, .text($0)) }
                choice.isOver = true
                if choice.bound.reason != nil { isCut = true }
                emit(number, .finish(choice.bound.reason ?? reason, stop: choice.bound.reason == nil ? stop : nil))
            default: emit(number, event)
            }
        }
    }

    /// The usage that the vendor reported; without the output of a stream that the relay ended.
    var usage: Usage? {
        guard isStreamed, isCut, var usage = stream.usage else { return stream.usage }
        // A report in a stream that goes on counts the output so far, if any.
        (usage.completionTokens, usage.reasoningTokens, usage.unbilledCompletionTokens) = (0, 0, 0)
        return usage
    }
    var credits: Int? { stream.credits }

    func stop() { stream.stop() }
}

import Calls
import Engine
import Shared

/// A chat that ends the vendor's output before a stop sequence or after a number of tokens.
final class TruncatingChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    struct Bounds: Sendable {
        let stops: StopFinder
        let maxTokens: Int?

        fileprivate func bound(_ counter: TokenCounter) -> OutputLimiter {
            OutputLimiter(stops: stops, maxTokens: maxTokens, counter)
        }
    }

    private let chat: any PreparedChat
    private let choices: Int
    private let bounds: Bounds
    private let count: CallCount
    private let worker: WorkQueue
    private let loop: EventLoop

    /// Creates a chat that limits the output of another chat.
    init(
        _ chat: any PreparedChat,
        choices: Int,
        _ bounds: Bounds,
        count: CallCount,
        worker: WorkQueue,
        loop: EventLoop
    ) {
        self.chat = chat
        self.choices = choices
        self.bounds = bounds
        self.count = count
        self.worker = worker
        self.loop = loop
    }

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }

    func response() async throws(UpstreamError) -> ChatResponse {
        let response = try await chat.response()
        let promptTokens = response.usage?.promptTokens ?? count.promptTokens(or: chat.promptTokens)
        let bytes = response.choices.reduce(0) { $0 + $1.bytes }
        let work = { @Sendable [bounds, counter = count.counter] in
            Self.bounded(response, promptTokens: promptTokens, bounds, counter: counter)
        }
        guard let bounded = await worker.result(ofBytes: bytes, on: loop, work) else { throw .tooMuchWork }
        return bounded
    }

    private static func bounded(
        _ response: ChatResponse,
        promptTokens: Int,
        _ bounds: Bounds,
        counter: TokenCounter
    ) -> ChatResponse {
        var response = response
        var isCut = false
        for index in response.choices.indices {
            guard let text = response.choices[index].text else { continue }
            var bound = bounds.bound(counter)
            var passed = ByteBuffer()
            bound.consume(text.bytes) { passed.append($0) }
            bound.finish { passed.append($0) }
            response.choices[index].text = Body(passed)
            guard let reason = bound.reason else { continue }
            response.choices[index].finish = reason
            if !bound.stop.isEmpty { response.choices[index].stop = Body(copying: bound.stop.bytes) }
            isCut = true
        }
        // The vendor counted its whole output, not the part that is passed on.
        if isCut || response.usage.map({ !$0.isReported }) ?? true {
            let tokens = response.choices.reduce(0) { $0 + ($1.text.map { counter.count($0.bytes) } ?? 0) }
            var usage = Usage(promptTokens: promptTokens, completionTokens: tokens)
            usage.isEstimated = !(response.usage?.isReported ?? false)
            usage.isExact = usage.isEstimated && counter.isExact
            response.usage = usage
        }
        return response
    }

    func stream() async throws(UpstreamError) -> any ChatResponseStream {
        TruncatingStream(try await chat.stream(), choices, bounds: bounds, counter: count.counter)
    }
}

/// A stream that ends the vendor's output before a stop sequence or after a number of tokens.
///
/// `@unchecked`: used on its loop only.
private final class TruncatingStream: ChatResponseStream, @unchecked Sendable {
    private final class Choice {
        var bound: OutputLimiter
        var isOver = false

        init(_ bound: consuming OutputLimiter) { self.bound = bound }
    }

    private let stream: any ChatResponseStream
    private let choices: [Choice]
    private var isCut = false

    init(_ stream: any ChatResponseStream, _ choices: Int, bounds: TruncatingChat.Bounds, counter: TokenCounter) {
        self.stream = stream
        self.choices = (0..<choices).map { _ in Choice(bounds.bound(counter)) }
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
                // The vendor's usage counts the whole output, so it is not reported for a truncated output.
                if choice.bound.reason != nil { isCut = true }
                emit(number, .finish(choice.bound.reason ?? reason, stop: choice.bound.reason == nil ? stop : nil))
            default: emit(number, event)
            }
        }
    }

    /// The usage that the vendor reported; nil if the relay truncated the output.
    var usage: Usage? { isCut ? nil : stream.usage }
    var credits: Int? { stream.credits }

    func stop() { stream.stop() }
}

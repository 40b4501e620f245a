package import Calls
package import Engine
package import Shared

/// Counts the tokens of one call and its answers, for what the vendor does not tell: exactly where the model's vocabulary
/// is known. A short prompt is not counted before somebody asks for its tokens.
///
/// `@unchecked`: used on its request's loop only.
package final class CallCount: @unchecked Sendable {
    private enum Prompt {
        /// By its vendor's chat.
        case estimated
        /// Of these alone.
        case waiting([ChatMessage])
        case counted(Int)
    }

    package let counter: TokenCounter
    /// The model's; nil: not known.
    private let window: Int?
    private let worker: WorkQueue
    private let loop: EventLoop
    private var prompt = Prompt.estimated
    /// Besides texts.
    private var moreTokens = 0

    package init(_ model: borrowing Model, by worker: WorkQueue, on loop: EventLoop) {
        counter = TokenCounter.of(model)
        window = model.contextWindow
        self.worker = worker
        self.loop = loop
    }

    // MARK: The prompt

    /// Takes over a call that is short, without more; false: it is not.
    package func takeShort(_ call: borrowing ChatCall) -> Bool {
        guard call.attachments.isEmpty, !call.arePromptsSeparate, case let bytes = call.textBytes,
            bytes <= ChatCall.keptBytes, bytes + (call.maxTokens ?? 0) <= window ?? .max
        else { return false }
        if counter.isExact { prompt = .waiting(call.messages) }
        return true
    }

    /// Takes over the call, whose texts are all that its vendor is sent, and checks that the model can take it.
    ///
    /// - Parameter known: its tokens, if they have been counted.
    package func take(_ call: ChatCall, known: Int?) async throws(APIError) {
        if !call.attachments.isEmpty { moreTokens = call.pictureTokens }
        // Only its vendor's chat has the words of a sound.
        let hasSounds = call.attachments.contains { $0.kind == .sound }
        if counter.isExact, !hasSounds { try await count(call, known) }
        if !call.arePromptsSeparate {
            return try await check(call) { () throws(APIError) in self.promptTokens(or: call.promptTokens) }
        }
        for one in call.prompts {
            try await check(one) { () async throws(APIError) in
                let counted = await counted(one.textBytes) { [counter] in one.allTokens(by: counter) }
                guard let counted else { throw .tooMuchWork }
                return counted
            }
        }
    }

    private func count(_ call: ChatCall, _ known: Int?) async throws(APIError) {
        let bytes = call.textBytes
        // Of longer ones the limits know an estimate only.
        if let known, call.isCountedAtOnce {
            prompt = .counted(known)
            return
        }
        if bytes <= ChatCall.keptBytes {
            prompt = .waiting(call.messages)
            return
        }
        let counted = await counted(bytes) { [counter] in call.textTokens(by: counter) }
        guard let counted else { throw .tooMuchWork }
        prompt = .counted(counted + moreTokens)
    }

    /// `estimate`: of the vendor's form of the call.
    package func promptTokens(or estimate: Int) -> Int {
        if case .waiting(let messages) = prompt {
            var call = ChatCall()
            call.messages = messages
            prompt = .counted(call.textTokens(by: counter) + moreTokens)
        }
        return knownPromptTokens(or: estimate)
    }

    /// The same without counting, for calls that failed.
    package func knownPromptTokens(or estimate: Int) -> Int {
        switch prompt {
        case .estimated: return estimate + moreTokens
        case .counted(let tokens): return tokens
        case .waiting(let messages): return ChatCall.estimatedTokens(of: messages) + moreTokens
        }
    }

    /// The estimate that the functions above take: 0 where they do not need it, as the texts are kept or counted.
    package func estimate(of chat: any PreparedChat) -> Int {
        if case .estimated = prompt { chat.promptTokens } else { 0 }
    }

    // MARK: The model's window

    /// Estimates are refused only where they are wide of it.
    private static let errorParts = 5

    private func check(
        _ call: ChatCall,
        _ count: () async throws(APIError) -> Int
    ) async throws(APIError) {
        guard let window else { return }
        // A bound that no answer can reach is none.
        let wanted = call.maxTokens.map { $0 < window ? $0 : 0 } ?? 0
        // No vocabulary has more tokens for a text than it has bytes.
        guard call.textBytes + moreTokens + wanted > window else { return }
        var tokens = try await count()
        if !counter.isExact { tokens -= tokens / Self.errorParts }
        guard tokens + wanted > window else { return }
        throw .contextTooLong(window, prompt: tokens, answer: call.maxTokens, isExact: counter.isExact)
    }

    // MARK: The answer

    /// Returns a whole answer of `chat` with its usage, of which the relay counts what the vendor did not report.
    package func counted(
        _ answer: ChatAnswer,
        of chat: any PreparedChat
    ) async throws(UpstreamError) -> ChatAnswer {
        if let reported = answer.usage, reported.isReported { return answer }
        var tokens = 0
        if (answer.usage?.completionTokens ?? 0) == 0 {
            let bytes = answer.choices.reduce(0) { $0 + $1.bytes }
            let counted = await counted(bytes) { [counter] in answer.tokens(by: counter) }
            guard let counted else { throw .tooMuchWork }
            tokens = counted
        }
        var answer = answer
        answer.usage = .completed(
            answer.usage,
            prompt: { promptTokens(or: chat.promptTokens) },
            completion: { tokens }
        )
        return answer
    }

    package func tokens(of text: Body) async throws(UpstreamError) -> Int {
        let counted = await counted(text.bytes.count) { [counter] in counter.count(text.bytes) }
        guard let counted else { throw .tooMuchWork }
        return counted
    }

    /// Of text that a tally was too slow for; nil: nobody has the time for it.
    package func counted(_ text: Body) async -> (tokens: Int, bytes: Int)? {
        await counted(text.bytes.count) { [counter] in TokenTally.counted(text, by: counter) } ?? nil
    }

    /// Returns the result of counting so many bytes of text; nil if the relay has no time for it, or the client has left.
    private func counted<Value: Sendable>(
        _ bytes: Int,
        _ work: @escaping @Sendable () -> Value
    ) async -> Value? {
        await worker.result(ofBytes: bytes, weight: WorkQueue.countingWeight, on: loop, work)
    }
}

extension ChatAnswer {
    /// Returns the tokens of all that the answer says.
    fileprivate func tokens(by counter: TokenCounter) -> Int {
        var tokens = 0
        for choice in choices {
            for text in [choice.text, choice.reasoning, choice.refusal] {
                if let text { tokens += counter.count(text.bytes) }
            }
            for thought in choice.thoughts { tokens += counter.count(thought.text) }
            for call in choice.toolCalls { tokens += counter.count(call.name) + counter.count(call.arguments) }
        }
        return tokens
    }
}

extension APIError {
    fileprivate static func contextTooLong(_ window: Int, prompt: Int, answer: Int?, isExact: Bool) -> APIError {
        let about = isExact ? "" : "about "
        let wish =
            if let answer {
                "you requested \(about)\(prompt + answer) tokens (\(about)\(prompt) in the messages, \(answer) in the "
                    + "completion). Please reduce the length of the messages or completion."
            } else {
                "your messages resulted in \(about)\(prompt) tokens. Please reduce the length of the messages."
            }
        return APIError(
            400,
            "This model's maximum context length is \(window) tokens. However, \(wish)",
            code: "context_length_exceeded",
            param: "messages"
        )
    }
}

package import Calls
package import Engine
package import Shared

/// Counts the tokens of one call and its answers, for what the vendor does not tell: exactly where the model's vocabulary
/// is known. A short prompt is not counted before somebody asks for its tokens, and no prompt that the vendor is expected to
/// count.
///
/// `@unchecked`: used on its request's loop only.
package final class CallCount: @unchecked Sendable {
    private enum Prompt {
        /// By its vendor's chat.
        case estimated
        /// Of these alone.
        case waiting([ChatMessage])
        case counted(Int)
        /// Estimated, as its vendor was expected to report the count.
        case guessed(Int)
    }

    package let counter: TokenCounter
    /// The model's; nil: not known.
    private let window: Int?
    private let worker: WorkQueue
    private let loop: EventLoop
    private var prompt = Prompt.estimated
    /// Besides texts.
    private var moreTokens = 0
    /// Whether the answers of the call's provider bring their usage; nil: an answer of this call would not show it.
    private var reports: UsageReports?
    /// Whether the vendor is expected to report the usage of the call.
    package private(set) var isExpected = false
    /// The estimate of the call; nil: nobody has asked for it.
    private var rough: Int?

    package init(_ model: borrowing Model, by worker: WorkQueue, on loop: EventLoop) {
        counter = TokenCounter.of(model)
        window = model.contextWindow
        self.worker = worker
        self.loop = loop
    }

    // MARK: Vendors that report

    /// Follows the provider of the call: a prompt that it is expected to count is not counted ahead.
    ///
    /// - Parameter reports: of the provider, whose answer goes to the client as it is.
    package func follow(_ reports: UsageReports) {
        self.reports = reports
        isExpected = reports.areExpected
    }

    /// Follows another provider, if it followed one. Nothing of the call may have been counted.
    package func pass(to reports: UsageReports) { if self.reports != nil { follow(reports) } }

    /// Records if a whole answer has brought its usage. The next ones are counted ahead if it has not.
    package func learn(from usage: Usage?) {
        reports?.record(isReported: (usage?.promptTokens ?? 0) > 0)
    }

    /// Returns the usage with each figure that the vendor did not report replaced, and told if it is exact.
    package func completed(_ reported: Usage?, prompt: () -> Int, completion: () -> Int) -> Usage {
        var usage = Usage.completed(reported, prompt: prompt, completion: completion)
        if usage.isEstimated, counter.isExact { usage.isExact = (reported?.promptTokens ?? 0) > 0 || isPromptExact }
        return usage
    }

    /// Returns the estimated tokens of the call, which are estimated once.
    package func roughTokens(of call: borrowing ChatCall) -> Int {
        if let rough { return rough }
        let tokens = call.roughTokens
        rough = tokens
        return tokens
    }

    private var isPromptExact: Bool { if case .counted = prompt { true } else { false } }

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
            return try await check(call) { () async throws(APIError) in
                if isExpected, counter.isExact { try await countTexts(of: call) }
                return self.promptTokens(or: call.promptTokens)
            }
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
        if isExpected {
            // The memory of a request is held until its answer begins, which for a whole one is its end.
            prompt = call.isStreamed ? .guessed(roughTokens(of: call)) : .waiting(call.messages)
            return
        }
        try await countTexts(of: call)
    }

    private func countTexts(of call: ChatCall) async throws(APIError) {
        let bytes = call.textBytes
        let counted = await counted(bytes) { [counter] in call.textTokens(by: counter) }
        guard let counted else { throw .tooMuchWork }
        prompt = .counted(counted + moreTokens)
    }

    /// Counts a prompt that its vendor was expected to count, and did not.
    private func countWaiting() async {
        guard case .waiting(let messages) = prompt else { return }
        var call = ChatCall()
        call.messages = messages
        let counted = await counted(call.textBytes) { [counter, call] in call.textTokens(by: counter) }
        prompt = counted.map { .counted($0 + moreTokens) } ?? .guessed(call.roughTokens + moreTokens)
    }

    /// `estimate`: of the vendor's form of the call.
    package func promptTokens(or estimate: Int) -> Int {
        if case .waiting(let messages) = prompt {
            var call = ChatCall()
            call.messages = messages
            // A longer one is counted elsewhere, by `countWaiting`.
            let isShort = call.textBytes <= ChatCall.keptBytes
            prompt =
                isShort ? .counted(call.textTokens(by: counter) + moreTokens) : .guessed(call.roughTokens + moreTokens)
        }
        return knownPromptTokens(or: estimate)
    }

    /// The same without counting, for calls that failed.
    package func knownPromptTokens(or estimate: Int) -> Int {
        switch prompt {
        case .estimated: return estimate + moreTokens
        case .counted(let tokens), .guessed(let tokens): return tokens
        case .waiting(let messages):
            var call = ChatCall()
            call.messages = messages
            return call.roughTokens + moreTokens
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
        // A prompt far below is not counted for this: its vendor refuses it if it is too long all the same.
        if isExpected, 2 * roughTokens(of: call) + wanted <= window { return }
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
        if (answer.usage?.promptTokens ?? 0) == 0 { await countWaiting() }
        answer.usage = completed(
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

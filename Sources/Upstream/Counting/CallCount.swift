package import Engine
package import Shared

/// Counts the tokens of one call and its response if the vendor does not report them.
package final class CallCount: OnLoop, @unchecked Sendable {
    private enum Prompt {
        /// The relay does not count the prompt. A vendor-specific estimate of its tokens is used.
        case estimated
        /// The prompt is not counted yet. The value contains its messages.
        case waiting([ChatMessage])
        case counted(Int)
        /// The prompt is estimated and will not be counted. The value is the estimate in tokens.
        case guessed(Int)
    }

    package let counter: TokenCounter
    /// The model's context window in tokens; nil if unknown.
    let window: Int?
    private let worker: WorkQueue
    private let loop: EventLoop
    private var prompt = Prompt.estimated
    /// The estimated tokens of the prompt's images, which are added to the tokens of the text.
    private(set) var moreTokens = 0
    /// The estimated tokens of the tools and the output schema, which a count of the texts leaves out.
    private var toolTokens = 0
    /// The provider's statistics about reported usage; nil if the call does not use them.
    private var reports: UsageReports?
    /// Whether the vendor will probably report the usage of this call.
    package private(set) var isExpected = false
    /// The estimated tokens of the call's texts, tools and images; nil until the estimate is first needed.
    private var rough: Int?

    package init(_ model: borrowing Model, by worker: WorkQueue, on loop: EventLoop) {
        counter = TokenCounter.of(model)
        window = model.contextWindow
        self.worker = worker
        self.loop = loop
    }

    // MARK: Vendors that report

    /// Sets the statistics of the call's provider. Predicts from them whether the vendor will report the usage of this
    /// call.
    package func follow(_ reports: UsageReports) {
        self.reports = reports
        isExpected = reports.areExpected
    }

    /// Switches to the statistics of another provider, to which the call is passed. Does nothing if no statistics are
    /// used. Must be called before tokens are counted.
    package func pass(to reports: UsageReports) { if self.reports != nil { follow(reports) } }

    /// Records in the provider's statistics whether a complete response contained the number of prompt tokens.
    package func learn(from usage: Usage?) { reports?.record(isReported: (usage?.promptTokens ?? 0) > 0) }

    /// Returns the response's usage, completed with the relay's own token counts.
    /// - Parameters:
    ///   - prompt: returns the tokens of the prompt; called only if the vendor did not report them.
    ///   - completion: returns the tokens of the output; called only if the vendor did not report them.
    package func completed(_ reported: Usage?, prompt: () -> Int, completion: () -> Int) -> Usage {
        var usage = Usage.completed(reported, prompt: prompt, completion: completion)
        if usage.isEstimated, counter.isExact { usage.isExact = (reported?.promptTokens ?? 0) > 0 || isPromptExact }
        return usage
    }

    /// Returns the estimated tokens of the call's texts, tools and images. The estimate is made once and then kept.
    package func roughTokens(of call: borrowing ChatCall) -> Int {
        if let rough { return rough }
        let tokens = call.roughTokens
        rough = tokens
        return tokens
    }

    private var isPromptExact: Bool { if case .counted = prompt { true } else { false } }

    // MARK: The prompt

    /// Returns whether the call surely fits the model's context window. If it fits and `counter` is exact, keeps its
    /// prompt for a later count.
    ///
    /// Returns false and keeps nothing for long calls, calls with attachments and calls with several prompts.
    package func countShort(_ call: borrowing ChatCall) -> Bool {
        guard call.attachments.isEmpty, !call.arePromptsSeparate, case let bytes = call.textBytes,
            bytes <= ChatCall.keptBytes, surelyFits(call, textBytes: bytes)
        else { return false }
        if counter.isExact { (prompt, toolTokens) = (.waiting(call.messages), call.estimatedToolTokens) }
        return true
    }

    /// Counts or estimates the prompt's tokens, or keeps the prompt to count them later.
    ///
    /// Throws if the prompt does not fit the model's context window, or if the worker thread is too busy.
    /// - Parameter known: the tokens of the prompt that a rate limit has counted; nil if none has.
    /// - Returns: the largest completion in tokens for which the window has room beside the prompt; nil if the call's
    ///   own limit fits.
    package func count(_ call: ChatCall, known: Int?) async throws(APIError) -> Int? {
        if !call.attachments.isEmpty { moreTokens = call.imageTokens }
        // The text of audio is known only to the vendor's chat, after the transcription.
        let hasAudio = call.attachments.contains { $0.kind == .audio }
        // The count of a rate limit includes the tools.
        let known = hasAudio || !counter.isExact || !call.isCountedAtOnce ? nil : known
        if counter.isExact, !hasAudio { try await count(call, known) }
        if !call.arePromptsSeparate {
            return try await bound(of: call) { () async throws(APIError) in
                if let known { return known }
                if isExpected, counter.isExact { try await countTexts(of: call) }
                return try await self.promptTokens(or: call.promptTokens) - toolTokens + countedToolTokens(of: call)
            }
        }
        var least: Int?
        for one in call.prompts {
            let bound = try await bound(of: one) { () async throws(APIError) in
                let counted = await counted(one.textBytes) { [counter] in one.allTokens(by: counter) }
                guard let counted else { throw .tooMuchWork }
                return counted
            }
            if let bound { least = min(bound, least ?? bound) }
        }
        return least
    }

    private func countedToolTokens(of call: ChatCall) async throws(APIError) -> Int {
        if call.toolBytes == 0 { return 0 }
        let counted = await counted(call.toolBytes) { [counter] in call.toolTokens(by: counter) }
        guard let counted else { throw .tooMuchWork }
        return counted
    }

    private func count(_ call: ChatCall, _ known: Int?) async throws(APIError) {
        let bytes = call.textBytes
        if let known {
            prompt = .counted(known)
            return
        }
        toolTokens = call.estimatedToolTokens
        if bytes <= ChatCall.keptBytes {
            prompt = .waiting(call.messages)
            return
        }
        if isExpected {
            // The request's memory is held until its response begins, and for a whole response this is its end.
            prompt = call.isStreamed ? .guessed(roughTokens(of: call)) : .waiting(call.messages)
            return
        }
        try await countTexts(of: call)
    }

    private func countTexts(of call: ChatCall) async throws(APIError) {
        let bytes = call.textBytes
        let counted = await counted(bytes) { [counter] in call.textTokens(by: counter) }
        guard let counted else { throw .tooMuchWork }
        prompt = prompt(ofTexts: counted)
    }

    private func prompt(ofTexts tokens: Int) -> Prompt {
        let all = tokens + moreTokens + toolTokens
        return toolTokens > 0 ? .guessed(all) : .counted(all)
    }

    /// Counts the prompt on the worker thread if it is not counted yet.
    private func countWaiting() async {
        guard case .waiting(let messages) = prompt else { return }
        var call = ChatCall()
        call.messages = messages
        let counted = await counted(call.textBytes) { [counter, call] in call.textTokens(by: counter) }
        prompt = counted.map(prompt(ofTexts:)) ?? .guessed(call.roughTokens + moreTokens + toolTokens)
    }

    /// Returns the tokens of the prompt, counted or estimated.
    /// - Parameter estimate: the vendor-specific estimate; used if the prompt cannot be counted.
    package func promptTokens(or estimate: Int) -> Int {
        if case .waiting(let messages) = prompt {
            var call = ChatCall()
            call.messages = messages
            // A longer prompt is counted by `countWaiting`, off the loop.
            let isShort = call.textBytes <= ChatCall.keptBytes
            prompt =
                isShort
                ? prompt(ofTexts: call.textTokens(by: counter)) : .guessed(call.roughTokens + moreTokens + toolTokens)
        }
        return knownPromptTokens(or: estimate)
    }

    /// Counts the prompt now if the vendor will probably not report its tokens, so that its messages are no longer kept.
    package func countUnreported() {
        if case .waiting = prompt, reports != nil, !isExpected { _ = promptTokens(or: 0) }
    }

    /// Returns the number of prompt tokens, which was counted earlier or is estimated.
    /// - Parameter estimate: the vendor-specific estimate; used if the relay neither counts nor estimates the prompt.
    package func knownPromptTokens(or estimate: Int) -> Int {
        switch prompt {
        case .estimated: return estimate + moreTokens
        case .counted(let tokens), .guessed(let tokens): return tokens
        case .waiting(let messages):
            var call = ChatCall()
            call.messages = messages
            return call.roughTokens + moreTokens + toolTokens
        }
    }

    /// Returns the vendor's estimate of the prompt's tokens; 0 if the relay counts or estimates the prompt itself. Pass
    /// the result to `promptTokens(or:)` or `knownPromptTokens(or:)`.
    package func estimate(of chat: any PreparedChat) -> Int {
        if case .estimated = prompt { chat.promptTokens } else { 0 }
    }

    // MARK: The response

    /// Returns the response with its usage, which the relay counts if the vendor did not report it.
    @inline(never)  // Called only if a vendor reports no usage.
    package func counted(
        _ response: ChatResponse,
        of chat: any PreparedChat
    ) async throws(UpstreamError) -> ChatResponse {
        if let reported = response.usage, reported.isReported { return response }
        var tokens = 0
        if (response.usage?.completionTokens ?? 0) == 0 {
            let bytes = response.bytes
            let counted = await counted(bytes) { [counter] in response.tokens(by: counter) }
            guard let counted else { throw .tooMuchWork }
            tokens = counted
        }
        var response = response
        if (response.usage?.promptTokens ?? 0) == 0 { await countWaiting() }
        response.usage = completed(
            response.usage,
            prompt: { promptTokens(or: chat.promptTokens) },
            completion: { tokens }
        )
        return response
    }

    package func tokens(of text: Body) async throws(UpstreamError) -> Int {
        let counted = await counted(text.bytes.count) { [counter] in counter.count(text.bytes) }
        guard let counted else { throw .tooMuchWork }
        return counted
    }

    /// Counts the tokens of a text on the worker thread.
    /// - Returns: the tokens, and the bytes that were counted; nil if the text could not be counted.
    package func counted(_ text: Body) async -> (tokens: Int, bytes: Int)? {
        await counted(text.bytes.count) { [counter] in TokenCountAccumulator.counted(text, by: counter) } ?? nil
    }

    /// Runs `work`, which counts tokens, and returns its result. Returns nil if the worker thread is too busy, or if
    /// the client has disconnected.
    private func counted<Value: Sendable>(_ bytes: Int, _ work: @escaping @Sendable () -> Value) async -> Value? {
        await worker.result(ofBytes: bytes, weight: WorkQueue.countingWeight, on: loop, work)
    }
}

extension ChatResponse {
    /// Counts the tokens of the whole output: texts, reasoning, refusals and tool calls of all choices.
    fileprivate func tokens(by counter: TokenCounter) -> Int {
        var tokens = 0
        for choice in choices {
            for text in [choice.text, choice.reasoning, choice.refusal] {
                if let text { tokens += counter.count(text.bytes) }
            }
            for reasoningBlock in choice.reasoningBlocks { tokens += counter.count(reasoningBlock.text) }
            for call in choice.toolCalls { tokens += counter.count(call.name) + counter.count(call.arguments) }
        }
        return tokens
    }
}

extension CallCount {
    /// Returns the error with the usage of the choices that came, if the vendor made too few and reported no usage.
    @inline(never)  // Rarely called.
    package func countedPart(of error: UpstreamError, of chat: any PreparedChat) async -> UpstreamError {
        guard let partial = error.partial as? LoggedStream, partial.usage?.isReported != true,
            let gathered = try? await partial.gathered(), let counted = try? await counted(gathered, of: chat)
        else { return error }
        let log = EventLog()
        counted.emit(log.append)
        var error = error
        error.partial = LoggedStream(log, usage: counted.usage)
        error.usage = counted.usage
        return error
    }
}

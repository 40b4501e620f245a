import Shared

/// The check of a call against the model's context window.
extension CallCount {
    /// The divisor for the assumed error of an estimated token count: 5 means one fifth.
    private static let errorParts = 5

    /// The room for a completion that each prompt must leave, in tokens. A small window need not leave that much.
    private static let roomTokens = 1_024

    private func room(in window: Int) -> Int { min(Self.roomTokens, window / 4) }

    /// Returns whether the call surely fits the model's context window with the longest completion that it permits.
    func surelyFits(_ call: borrowing ChatCall, textBytes: Int) -> Bool {
        guard let window else { return true }
        // A text never has more tokens than bytes, in any vocabulary.
        let rest = window - textBytes - moreTokens - max(call.maxTokens ?? 0, room(in: window))
        return rest >= 0 && rest >= call.toolBytes
    }

    /// Returns the largest completion for which the window has room beside the prompt; nil if the call's own limit
    /// fits, or if the prompt is only estimated. Throws if the prompt leaves too little room.
    /// - Parameter count: returns the tokens of the prompt; called only if the prompt might not fit.
    func bound(of call: ChatCall, _ count: () async throws(APIError) -> Int) async throws(APIError) -> Int? {
        guard let window, !surelyFits(call, textBytes: call.textBytes) else { return nil }
        let room = room(in: window)
        // A prompt far below the window is not counted for this check: if it is too long after all, the vendor refuses
        // it.
        if isExpected, 2 * roughTokens(of: call) + max(call.maxTokens ?? 0, room) <= window { return nil }
        let tokens = try await count()
        let error = counter.isExact ? 0 : tokens / Self.errorParts
        guard tokens - error + min(room, call.maxTokens ?? room) <= window else {
            throw .contextTooLong(window, prompt: tokens - error, room: room, isExact: counter.isExact)
        }
        // A vendor that refuses the limit names the numbers which an estimate lacks.
        guard counter.isExact, let most = call.maxTokens else { return nil }
        // The count leaves out the separators between messages.
        let left = max(room, window - tokens - Self.separatorTokens * (call.messages.count + 1))
        return most > left ? left : nil
    }

    /// The assumed number of tokens between two messages of a prompt.
    private static let separatorTokens = 8
}

extension APIError {
    fileprivate static func contextTooLong(_ window: Int, prompt: Int, room: Int, isExact: Bool) -> APIError {
        let rest = prompt > window ? "" : ", which leaves less than \(room) tokens for the completion"
        let requested =
            "your messages resulted in \(isExact ? "" : "about ")\(prompt) tokens\(rest). Please reduce the length of "
            + "the messages."
        return APIError(
            400,
            "This model's maximum context length is \(window) tokens. However, \(requested)",
            code: APIError.contextLengthCode,
            param: "messages"
        )
    }
}

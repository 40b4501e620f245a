import Calls
import Engine
package import Shared

/// The largest token counts that the usage of one upstream call can truthfully have.
struct UsageBounds: Sendable {
    private let maxPromptTokens: Int
    private var maxCompletionTokens: Int
    /// The number of calls whose usage is summed.
    private var calls = 1

    /// The bound of the prompt for a model without a known context window.
    private static let unknownPrompt = 10_000_000
    private static let unknownCompletion = 1_000_000

    /// Creates the bounds for a call whose request and model are unknown.
    init() {
        maxPromptTokens = Self.unknownPrompt
        maxCompletionTokens = Self.unknownCompletion
    }

    /// Creates the bounds for a call whose request cannot limit the completion.
    init(_ model: borrowing Model) {
        maxPromptTokens = model.contextWindow ?? Self.unknownPrompt
        maxCompletionTokens = model.maxOutputTokens ?? Self.unknownCompletion
    }

    /// Creates the bounds for a chat call with all its choices.
    init(_ call: borrowing ChatCall, _ model: borrowing Model) {
        let prompts = call.arePromptsSeparate ? max(1, call.messages.count) : 1
        let bound = max(call.maxTokens ?? 0, model.maxOutputTokens ?? 0)
        maxPromptTokens = (model.contextWindow ?? Self.unknownPrompt).multipliedClamping(by: prompts)
        maxCompletionTokens = (bound > 0 ? bound : Self.unknownCompletion)
            .multipliedClamping(by: max(1, call.choices))
    }

    /// Raises the bound of the completion, for a request with a larger limit than its caller asked for.
    mutating func raise(toCompletionTokens tokens: Int) { maxCompletionTokens = max(maxCompletionTokens, tokens) }

    /// Adds one more call, for bounds of a usage that is the sum of several calls.
    mutating func addCall() { calls += 1 }

    private func allowsPrompt(_ usage: Usage) -> Bool { usage.promptTokens / calls <= maxPromptTokens }

    private func allowsCompletion(_ usage: Usage) -> Bool {
        max(usage.completionTokens, usage.reasoningTokens) / calls <= maxCompletionTokens
    }

    /// Returns the usage with impossible token counts set to 0, as if the vendor had not reported them.
    func checked(_ usage: Usage?) -> Usage? {
        guard var usage, !allowsPrompt(usage) || !allowsCompletion(usage) else { return usage }
        usage.hasImpossibleFigure = true
        if !allowsPrompt(usage) {
            (usage.promptTokens, usage.cachedTokens, usage.cacheWriteTokens) = (0, 0, 0)
        }
        if !allowsCompletion(usage) {
            (usage.completionTokens, usage.reasoningTokens) = (0, 0)
        }
        return usage
    }
}

extension Usage {
    /// Whether the vendor reported the prompt and the completion. A count of 0 does not count as reported: every prompt
    /// has tokens, and the code that reads this knows whether the completion has.
    package var isReported: Bool { promptTokens > 0 && completionTokens > 0 }

    /// Returns the usage, in which each token count that the vendor did not report is replaced by the relay's own
    /// count.
    ///
    /// - Parameters:
    ///   - prompt: counts the prompt's tokens; called only if the vendor did not report them.
    ///   - completion: counts the completion's tokens; called only if the vendor did not report them.
    package static func completed(_ reported: Usage?, prompt: () -> Int, completion: () -> Int) -> Usage {
        var usage = reported ?? .nothing
        usage.isEstimated = usage.isEstimated || reported == nil
        if usage.promptTokens == 0 {
            usage.promptTokens = prompt()
            if usage.promptTokens > 0 { usage.isEstimated = true }
        }
        if usage.completionTokens == 0 {
            usage.completionTokens = completion()
            if usage.completionTokens > 0 { usage.isEstimated = true }
        }
        return usage
    }
}

extension JSONValue {
    /// The number of tokens that a vendor reports; nil if it is null. A negative number or a fraction becomes a number
    /// above every bound.
    var reportedTokens: Int? {
        if kind == .null { return nil }
        guard let tokens, number == Double(tokens) else { return Self.impossibleTokens }
        return tokens
    }

    /// A token count above nearly every bound.
    private static let impossibleTokens = 1 << 50
}

extension Int {
    fileprivate func multipliedClamping(by factor: Int) -> Int {
        let (product, isTooLarge) = multipliedReportingOverflow(by: factor)
        return isTooLarge ? .max : product
    }
}

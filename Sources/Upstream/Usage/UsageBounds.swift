import Calls
import Engine
package import Shared

/// The largest figures that the usage of one upstream call can truthfully have.
struct UsageBounds: Sendable {
    private let maxPromptTokens: Int
    private var maxCompletionTokens: Int
    /// The calls whose usage the vendor sums.
    private var calls = 1

    /// The bounds where neither the request nor the model has one.
    private static let unknownPrompt = 10_000_000
    private static let unknownCompletion = 1_000_000

    /// The bounds of any call, whose request and model are not known.
    init() {
        maxPromptTokens = Self.unknownPrompt
        maxCompletionTokens = Self.unknownCompletion
    }

    /// The bounds of a call whose request cannot bound the completion.
    init(_ model: borrowing Model) {
        maxPromptTokens = model.contextWindow ?? Self.unknownPrompt
        maxCompletionTokens = model.maxOutputTokens ?? Self.unknownCompletion
    }

    /// The bounds of a chat call with all its choices.
    init(_ call: borrowing ChatCall, _ model: borrowing Model) {
        let prompts = call.arePromptsSeparate ? max(1, call.messages.count) : 1
        let bound = max(call.maxTokens ?? 0, model.maxOutputTokens ?? 0)
        maxPromptTokens = (model.contextWindow ?? Self.unknownPrompt).multipliedClamping(by: prompts)
        maxCompletionTokens = (bound > 0 ? bound : Self.unknownCompletion)
            .multipliedClamping(by: max(1, call.choices))
    }

    /// Raises the bound of completions, where the request has a larger one than its caller wanted.
    mutating func raise(toCompletionTokens tokens: Int) { maxCompletionTokens = max(maxCompletionTokens, tokens) }

    /// Adds one more call to a usage that is the sum of several.
    mutating func addCall() { calls += 1 }

    private func allowsPrompt(_ usage: Usage) -> Bool { usage.promptTokens / calls <= maxPromptTokens }

    private func allowsCompletion(_ usage: Usage) -> Bool {
        max(usage.completionTokens, usage.reasoningTokens) / calls <= maxCompletionTokens
    }

    /// Returns the usage without figures that cannot be true: they become 0, as if the vendor had not reported them.
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
    /// Whether the vendor reported both figures. A count of zero is not reported: a prompt has tokens, and the caller of
    /// this knows whether a completion has.
    package var isReported: Bool { promptTokens > 0 && completionTokens > 0 }

    /// Returns the usage with each figure that the vendor did not report replaced by the relay's own count.
    ///
    /// - Parameters:
    ///   - prompt: counts the prompt; called only where the vendor did not report it.
    ///   - completion: counts the completion; called likewise.
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
    /// The number of tokens that a vendor reports; nil if it reports none. What is no whole number, or negative, becomes a
    /// number over every bound.
    var reportedTokens: Int? {
        if kind == .null { return nil }
        guard let tokens, number == Double(tokens) else { return Self.impossibleTokens }
        return tokens
    }

    /// As a rule more than any bound.
    private static let impossibleTokens = 1 << 50
}

extension Int {
    fileprivate func multipliedClamping(by factor: Int) -> Int {
        let (product, isTooLarge) = multipliedReportingOverflow(by: factor)
        return isTooLarge ? .max : product
    }
}

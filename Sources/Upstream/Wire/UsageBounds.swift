import Engine
package import Shared

/// The largest plausible token counts of one upstream call, and uses of tools that the vendor runs. Larger reported
/// token counts are ignored, and larger numbers of uses are lowered.
struct UsageBounds: Sendable {
    private let maxPromptTokens: Int
    private var maxCompletionTokens: Int
    /// The largest plausible number of reasoning tokens on top of a completion that the request alone bounds.
    private var maxReasoningTokens = 0
    private var maxSearches = Self.maxToolUses
    /// The number of upstream calls whose usage is checked together, as one sum.
    private var calls = 1

    /// The largest plausible number of prompt tokens for a model whose context window is unknown.
    private static let unknownPrompt = 10_000_000
    private static let unknownCompletion = 1_000_000
    /// The largest plausible number of uses of a tool without a bound of the request's own.
    private static let maxToolUses = 100

    /// Creates bounds for a call whose request and model are unknown.
    init() {
        maxPromptTokens = Self.unknownPrompt
        maxCompletionTokens = Self.unknownCompletion
    }

    /// Creates bounds for a chat call. The usage of all its choices and prompts counts together.
    init(_ call: borrowing ChatCall, _ model: borrowing Model) {
        let prompts = call.arePromptsSeparate ? max(1, call.messages.count) : 1
        maxSearches = call.maxSearches ?? Self.maxToolUses
        // The client asked for more than a lowered bound, and a vendor may not obey the latter.
        let bound = max(call.hasLowerBound ? 0 : call.maxTokens ?? 0, model.maxOutputTokens ?? 0)
        if model.maxOutputTokens == nil, bound > 0 { maxReasoningTokens = Self.unknownCompletion }
        maxPromptTokens = (model.contextWindow ?? Self.unknownPrompt).multipliedClamping(by: prompts)
        maxCompletionTokens = (bound > 0 ? bound : Self.unknownCompletion).multipliedClamping(by: max(1, call.choices))
    }

    /// Raises the bound for the output to the token limit of the upstream request. Never lowers the bound.
    mutating func raise(toCompletionTokens tokens: Int) { maxCompletionTokens = max(maxCompletionTokens, tokens) }

    /// Counts one more upstream call. Pass the usage of all these calls, added up, to `checked(_:)`.
    mutating func addCall() { calls += 1 }

    private func allowsPrompt(_ usage: Usage) -> Bool { usage.promptTokens / calls <= maxPromptTokens }

    private func allowsCompletion(_ usage: Usage) -> Bool {
        let most = max(usage.completionTokens, usage.reasoningTokens)
        let reasoning = min(usage.completionTokens, usage.reasoningTokens, maxReasoningTokens * calls)
        return (most - max(0, reasoning)) / calls <= maxCompletionTokens
    }

    /// Returns whether the tokens of the last call of the model that wrote the response, and those of each other call, are
    /// plausible.
    private func allowsParts(of usage: Usage, _ models: ModelUsages) -> Bool {
        let (own, others) = (usage.ofWriter(models), UsageBounds())
        return allowsPrompt(own) && allowsCompletion(own)
            && models.others.allSatisfy { others.allowsPrompt($0.usage) && others.allowsCompletion($0.usage) }
    }

    /// Returns the models that worked on a response; nil if the tokens of one of them are implausible.
    func checked(_ models: ModelUsages?, of usage: Usage?) -> ModelUsages? {
        guard let models, let usage, allowsParts(of: usage, models) else { return nil }
        return models
    }

    /// Returns the usage with implausible token counts set to 0, as if not reported, and implausible numbers of uses
    /// of tools lowered.
    /// - Parameter models: the models that worked on the response, if it was not the requested one alone.
    func checked(_ usage: Usage?, by models: ModelUsages? = nil) -> Usage? {
        guard var usage else { return nil }
        if !usage.toolUses.isEmpty { lowerToolUses(of: &usage) }
        if let models {
            if allowsParts(of: usage, models) { return usage }
            usage = usage.ofWriter(models)
            usage.hasImpossibleFigure = true
        }
        if allowsPrompt(usage), allowsCompletion(usage) { return usage }
        usage.hasImpossibleFigure = true
        if !allowsPrompt(usage) {
            (usage.promptTokens, usage.unbilledPromptTokens, usage.cachedTokens, usage.cacheWriteTokens) = (0, 0, 0, 0)
            (usage.longCacheWriteTokens, usage.audioPromptTokens, usage.cachedAudioTokens) = (0, 0, 0)
        }
        if !allowsCompletion(usage) {
            (usage.completionTokens, usage.reasoningTokens, usage.audioCompletionTokens) = (0, 0, 0)
            usage.unbilledCompletionTokens = 0
        }
        return usage
    }

    private func lowerToolUses(of usage: inout Usage) {
        var uses = usage.toolUses
        for tool in HostedTool.allCases {
            uses[tool] = min(uses[tool], calls * (tool == .webSearch ? maxSearches : Self.maxToolUses))
        }
        if uses == usage.toolUses { return }
        usage.toolUses = uses
        usage.hasImpossibleFigure = true
    }
}

extension Usage {
    /// Whether the vendor reported the tokens of the prompt and of the output, both above 0.
    package var isReported: Bool { promptTokens > 0 && completionTokens > 0 }

    /// Returns the reported usage with missing token counts replaced by the relay's own counts.
    /// - Parameters:
    ///   - prompt: returns the tokens of the prompt; called only if the vendor did not report them.
    ///   - completion: returns the tokens of the output; called only if the vendor did not report them.
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
    /// The number of tokens in a vendor's report; nil for null. An invalid value becomes a number that `UsageBounds`
    /// rejects.
    var reportedTokens: Int? {
        if kind == .null { return nil }
        guard let tokens, number == Double(tokens) else { return Self.impossibleTokens }
        return tokens
    }

    /// A token count that is too large to be plausible for any model.
    static let impossibleTokens = 1 << 50
}

extension Int? {
    /// Replaces a token count by a later report of the same count if the later one is larger.
    ///
    /// An invalid count is replaced by any later one.
    mutating func raise(to reported: Int?) {
        guard let reported else { return }
        if let known = self, known != JSONValue.impossibleTokens, known > reported { return }
        self = reported
    }
}

extension Int {
    fileprivate func multipliedClamping(by factor: Int) -> Int {
        let (product, isTooLarge) = multipliedReportingOverflow(by: factor)
        return isTooLarge ? .max : product
    }
}

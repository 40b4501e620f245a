/// The quirks of servers that speak Anthropic's API.
extension LearnedQuirks {
    /// Leaves out temperature, `top_p` and `top_k`.
    static let noSampling = LearnedQuirks(rawValue: 1)
    static let noSecondSampling = LearnedQuirks(rawValue: 2)
    static let noThinking = LearnedQuirks(rawValue: 4)
    /// Replaces a reasoning budget with adaptive thinking.
    static let adaptiveThinking = LearnedQuirks(rawValue: 8)
    /// Replaces disabled thinking with `between_tools`.
    static let thinkingBetweenTools = LearnedQuirks(rawValue: 16)
    static let noEffortOfClaude = LearnedQuirks(rawValue: 32)
    /// Lowers efforts above `high` to `high`.
    static let highEffort = LearnedQuirks(rawValue: 64)
    /// Adds a user turn after a final assistant turn.
    static let noPrefill = LearnedQuirks(rawValue: 128)
    /// Leaves out the reasoning of earlier turns.
    static let noEarlierReasoning = LearnedQuirks(rawValue: 256)
    static let noStrictTools = LearnedQuirks(rawValue: 512)
    static let noTier = LearnedQuirks(rawValue: 1_024)
    static let noMetadata = LearnedQuirks(rawValue: 2_048)
    /// Turns thinking off for this call, because the reasoning of earlier turns is missing.
    static let noThinkingNow = LearnedQuirks(rawValue: 4_096)

    /// The changes that depend on the conversation, not on the model.
    static let ofConversation: LearnedQuirks = [.noEarlierReasoning, .noThinkingNow]
}

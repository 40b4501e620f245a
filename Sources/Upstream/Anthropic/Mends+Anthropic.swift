/// Changes for servers that speak Anthropic's API.
extension Mends {
    /// Leaves out temperature, `top_p` and `top_k`.
    static let noSampling = Mends(rawValue: 1)
    static let noSecondSampling = Mends(rawValue: 2)
    static let noThinking = Mends(rawValue: 4)
    /// Replaces a reasoning budget with adaptive thinking.
    static let adaptiveThinking = Mends(rawValue: 8)
    /// Replaces disabled thinking with `between_tools`.
    static let thinkingBetweenTools = Mends(rawValue: 16)
    static let noEffortOfClaude = Mends(rawValue: 32)
    /// Lowers efforts above `high` to `high`.
    static let highEffort = Mends(rawValue: 64)
    /// Adds a user turn after a final assistant turn.
    static let noPrefill = Mends(rawValue: 128)
    /// Leaves out the reasoning of earlier turns.
    static let noOldThoughts = Mends(rawValue: 256)
    static let noStrictTools = Mends(rawValue: 512)
    static let noTier = Mends(rawValue: 1_024)
    static let noMetadata = Mends(rawValue: 2_048)
    /// Turns thinking off for this call, because the reasoning of earlier turns is missing.
    static let noThinkingNow = Mends(rawValue: 4_096)

    /// The changes that depend on the conversation, not on the model.
    static let ofConversation: Mends = [.noOldThoughts, .noThinkingNow]
}

/// Changes for servers of Anthropic's form.
extension Mends {
    /// Without temperature, `top_p` and `top_k`.
    static let noSampling = Mends(rawValue: 1)
    static let noSecondSampling = Mends(rawValue: 2)
    static let noThinking = Mends(rawValue: 4)
    /// A budget of thoughts is left to the model.
    static let adaptiveThinking = Mends(rawValue: 8)
    /// Instead of no thoughts at all.
    static let thinkingBetweenTools = Mends(rawValue: 16)
    static let noEffortOfClaude = Mends(rawValue: 32)
    /// Efforts above `high` are that.
    static let highEffort = Mends(rawValue: 64)
    /// The user has the last word.
    static let noPrefill = Mends(rawValue: 128)
    /// Thoughts of earlier turns are left out.
    static let noOldThoughts = Mends(rawValue: 256)
    static let noStrictTools = Mends(rawValue: 512)
    static let noTier = Mends(rawValue: 1_024)
    static let noMetadata = Mends(rawValue: 2_048)
    /// Without thoughts, as those of earlier turns are gone.
    static let noThinkingNow = Mends(rawValue: 4_096)

    /// They follow from what is said in a call.
    static let ofConversation: Mends = [.noOldThoughts, .noThinkingNow]
}

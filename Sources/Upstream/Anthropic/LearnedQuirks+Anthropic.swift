/// The quirks of servers with Anthropic's API.
extension LearnedQuirks {
    /// The quirk of a model that refuses `temperature`, `top_p` and `top_k`. The relay does not send these fields.
    static let noSampling = LearnedQuirks(rawValue: 1)
    static let noSecondSampling = LearnedQuirks(rawValue: 2)
    static let noThinking = LearnedQuirks(rawValue: 4)
    /// The quirk of a model that refuses a thinking budget. Adaptive thinking is requested instead.
    static let adaptiveThinking = LearnedQuirks(rawValue: 8)
    /// The quirk of a model that refuses the thinking type `disabled`. The type `between_tools` is sent instead.
    static let thinkingBetweenTools = LearnedQuirks(rawValue: 16)
    static let noEffortOfClaude = LearnedQuirks(rawValue: 32)
    /// The quirk of a model that refuses the efforts `xhigh` and `max`. The effort `high` is sent instead.
    static let highEffort = LearnedQuirks(rawValue: 64)
    /// The quirk of a model that refuses a conversation whose last turn is one of the assistant. A user turn is added
    /// at the end.
    static let noPrefill = LearnedQuirks(rawValue: 128)
    /// The quirk that the server refuses the reasoning of earlier assistant turns. The relay does not send this
    /// reasoning.
    static let noEarlierReasoning = LearnedQuirks(rawValue: 256)
    static let noStrictTools = LearnedQuirks(rawValue: 512)
    static let noTier = LearnedQuirks(rawValue: 1_024)
    static let noMetadata = LearnedQuirks(rawValue: 2_048)
    /// The quirk of a conversation that lacks the reasoning of earlier turns. Thinking is turned off, but not for later
    /// calls to the model.
    static let noThinkingNow = LearnedQuirks(rawValue: 4_096)

    /// The quirks that are caused by one conversation. They are not remembered for the model.
    static let ofConversation: LearnedQuirks = [.noEarlierReasoning, .noThinkingNow]
}

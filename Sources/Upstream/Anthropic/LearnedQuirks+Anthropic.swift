import Calls

extension LearnedQuirks {
    /// The quirk of a model that refuses `temperature`, `top_p` and `top_k`. These fields are then left out.
    static let noSampling = LearnedQuirks(rawValue: 1)
    static let noSecondSampling = LearnedQuirks(rawValue: 2)
    static let noThinking = LearnedQuirks(rawValue: 4)
    /// The quirk of a model that refuses a thinking budget. Adaptive thinking is requested instead.
    static let adaptiveThinking = LearnedQuirks(rawValue: 8)
    /// The quirk of a model that refuses the thinking type `disabled`. The type `between_tools` is sent instead.
    static let thinkingBetweenTools = LearnedQuirks(rawValue: 16)
    static let noEffortOfClaude = LearnedQuirks(rawValue: 32)
    /// The quirk of a model that refuses the efforts `xhigh` and `max`; `high` is sent instead.
    static let highEffort = LearnedQuirks(rawValue: 64)
    /// The quirk of a model that refuses an assistant turn at the end of a conversation. A user turn is then added.
    static let noPrefill = LearnedQuirks(rawValue: 128)
    /// The quirk of a server that refuses the reasoning of earlier assistant turns. The reasoning is then left out.
    static let noEarlierReasoning = LearnedQuirks(rawValue: 256)
    static let noStrictTools = LearnedQuirks(rawValue: 512)
    /// The quirk of a server that refuses thinking if earlier turns lack their reasoning. Thinking is then turned off.
    static let noThinkingNow = LearnedQuirks(rawValue: 4_096)
    /// The quirk of a model that refuses turns of the role `system`. They are sent as turns of the user.
    static let noSystemTurns = LearnedQuirks(rawValue: 8_192)

    /// The quirk of a server that does not know some of a client's betas. The finding's condition has their names.
    static let refusedBetas = LearnedQuirks(rawValue: 16_384)

    /// The quirk of a server that refuses cache breakpoints. Those that the relay has set are then left out.
    static let noCacheMarks = LearnedQuirks(rawValue: 32_768)

    /// The quirks that depend on the conversation, not on the model. They are not remembered for later calls.
    static let ofConversation: LearnedQuirks = [.noEarlierReasoning, .noThinkingNow]
    static let namesOfAnthropic: [QuirkName] = [
        (.noSampling, "sampling"), (.noSecondSampling, "temperature with top_p"), (.noThinking, "thinking"),
        (.adaptiveThinking, "thinking budget"), (.thinkingBetweenTools, "thinking disabled"),
        (.noEffortOfClaude, "effort"), (.highEffort, "effort above high"), (.noPrefill, "prefill"),
        (.noStrictTools, "strict"),
        (.noSystemTurns, "system turns"), (.noThinkingNow, "thinking now"),
        (.noEarlierReasoning, "earlier reasoning"), (.refusedBetas, "anthropic-beta"),
        (.noCacheMarks, "cache_control"),
    ]
}

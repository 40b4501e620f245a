import Calls

extension LearnedQuirks {
    /// The quirk of a model that refuses an assistant turn at the end of a conversation. A user turn is then added.
    static let noPrefill = LearnedQuirks(rawValue: 128)
    /// The quirk of a server that refuses the reasoning of earlier assistant turns. The reasoning is then left out.
    static let noEarlierReasoning = LearnedQuirks(rawValue: 256)
    /// The quirk of a model that refuses turns of the role `system`. They are sent as turns of the user.
    static let noSystemTurns = LearnedQuirks(rawValue: 8_192)
}

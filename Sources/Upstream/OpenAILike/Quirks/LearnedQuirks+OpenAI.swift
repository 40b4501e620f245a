import Calls
import Engine

/// The quirks of OpenAI-compatible servers. Each one says how requests to such a server are changed.
extension LearnedQuirks {
    /// The quirk that replaces all ids of tool calls with ids of nine letters and digits.
    static let shortIDs = LearnedQuirks(rawValue: 16_384)
    /// The quirk that replaces message content that is null, missing or an empty list with an empty text.
    static let emptyContent = LearnedQuirks(rawValue: 32_768)
    /// The quirk that leaves out empty content beside tool calls.
    static let noEmptyContent = LearnedQuirks(rawValue: 1 << 52)
    /// The quirk that joins the text parts of a message to one text.
    static let joinedContent = LearnedQuirks(rawValue: 65_536)
    /// The quirk that merges adjacent messages of the same role. It includes `oneInstruction`.
    static let mergedTurns = LearnedQuirks(rawValue: 131_072)
    /// The quirk that sends earlier reasoning back to the vendor, in the messages with the tool calls that followed.
    static let reasoningBack = LearnedQuirks(rawValue: 262_144)
    /// The quirk that removes reasoning of another vendor from messages.
    static let noForeignReasoning = LearnedQuirks(rawValue: 1 << 50)
    /// The quirk that replaces tool call ids of more than 40 bytes with ids of nine letters and digits.
    static let noLongIDs = LearnedQuirks(rawValue: 1 << 51)
    /// The quirk that merges the instructions at the beginning, and makes later ones messages of the user.
    static let oneInstruction = LearnedQuirks(rawValue: 1 << 54)
    /// The quirk that shortens names of tools of more than 64 bytes.
    static let shortNames = LearnedQuirks(rawValue: 1 << 55)
    static let ofMessages: LearnedQuirks = [
        .shortIDs, .emptyContent, .noEmptyContent, .joinedContent, .mergedTurns, .reasoningBack, .noForeignReasoning,
        .noLongIDs, .oneInstruction, .anySignature,
    ]

    /// The signature of a tool call that Google does not check.
    static let uncheckedSignature = "skip_thought_signature_validator"

    static func isLong(_ id: String) -> Bool { id.utf8.count > 40 }
}

/// A quirk that has code of its own. The raw value is its name for operators; two quirks cannot have the same.
package enum QuirkName: String, CaseIterable, Sendable {
    // MARK: Abilities that the server lacks

    case noObjects = "json_object"
    case noSchemas = "json_schema"
    case noChoices = "n"
    case noStops = "stop"
    case noTools = "tools"
    /// The model cannot be forced to call a tool with `tool_choice`.
    case noForcing = "tool_choice"
    /// The model can be forced to call a named tool, but not with `tool_choice: "required"`.
    case noRequired = "tool_choice required"
    /// The vendor does not download images from URLs, so the relay must send their data.
    case noAddresses = "image URLs"
    /// The model needs the Responses API for requests with tools.
    case otherPathWithTools = "tools by /responses"
    /// The model needs the Responses API for all requests.
    case otherPath = "/responses"
    case noCompaction = "compaction"
    /// The vendor refuses its option or tool for web search.
    case noSearch = "web search"

    // MARK: Messages

    /// All ids of tool calls are replaced with ids of nine letters and digits.
    case shortIDs = "tool call ids"
    /// Ids of tool calls of more than 40 bytes are replaced with ids of nine letters and digits.
    case noLongIDs = "long tool call ids"
    /// Message content that is null, missing or an empty list is replaced with an empty text.
    case emptyContent = "empty content"
    /// Empty content beside tool calls is left out.
    case noEmptyContent = "empty content beside tool calls"
    /// The text parts of a message are joined to one text.
    case joinedContent = "content parts"
    /// Instructions at the beginning are merged, and later ones become messages of the user.
    case oneInstruction = "system messages"
    /// Adjacent messages of the same role are merged. Includes `oneInstruction`.
    case mergedTurns = "order of roles"
    /// Earlier reasoning is sent back to the vendor, in the messages with the tool calls that followed.
    case reasoningBack = "earlier reasoning"
    /// Reasoning of another vendor is left out of messages.
    case noForeignReasoning = "reasoning of other vendors"
    /// Tool calls get a signature that Google does not check.
    case anySignature = "signatures of tool calls"
    /// A turn of the user is added behind an assistant turn at the end.
    case noPrefill = "prefill"
    /// Turns of the role `system` are sent as turns of the user.
    case noSystemTurns = "system turns"
    /// The instructions are written into the first turn of the user.
    case noInstructions = "systemInstruction"

    // MARK: The rest of a request

    /// Names of tools of more than 64 bytes are shortened.
    case shortNames = "long tool names"
    /// The model is missing in the OpenAI-compatible API, so the vendor's own API is called.
    case ownWire = "/ai/run"
    /// The token limit that the relay chooses is lower.
    case lowBound = "max_tokens of the relay"
}

/// One change of requests that a model's server needs.
package enum Quirk: Hashable, Sendable {
    /// A change that has code of its own, or an ability that the server lacks.
    case named(QuirkName)
    /// A change of one field of the body.
    case field(FieldChange)
    /// A beta that is left out of a request's header.
    case beta(String)

    /// The quirk's name for operators.
    package var name: String {
        switch self {
        case .named(let name): name.rawValue
        case .field(let change): change.name
        case .beta: "anthropic-beta"
        }
    }

    /// The requests that need the change, in words; nil for all requests.
    var conditionText: String? {
        switch self {
        case .named: nil
        case .field(let change): change.conditionText
        case .beta(let beta): beta
        }
    }
}

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
    /// The vendor does not download images and documents from URLs, so the relay must send their data.
    case noAddresses = "media URLs"
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
    /// The parts of tool results that are not text are moved to a message of the user.
    case textResults = "parts of tool results"
    /// Instructions at the beginning are merged, and later ones become messages of the user.
    case oneInstruction = "system messages"
    /// Adjacent messages of the same role are merged. Includes `oneInstruction`.
    case mergedTurns = "order of roles"
    /// A short message of the assistant is added between results of tools and a message of the user.
    case answeredResults = "user after tool results"
    /// Each tool call is in a message of its own, with its result behind it.
    case singleCalls = "parallel tool calls"
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

/// A change of one field in the JSON body of a request, whatever the API.
package struct FieldChange: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case drop
        /// The field is left out unless it has one of these values, which are in lower case.
        case dropUnless([String])
        case atMost(Int)
        case rename(String)
        /// The value is replaced by this JSON: any value, or only this text or an object of this type.
        case replace(String?, by: String)
        /// The text is replaced by one of these: the nearest in the order of reasoning efforts.
        case nearest([String])
        /// The field gets this JSON, whether the request has it or not.
        case set(String)
        /// Objects of this type in the list are left out. If nothing is left, the list gets this JSON.
        case dropType(String, or: String? = nil)
        /// Tools in the list are left out if an earlier tool has their name.
        case distinct
        /// The JSON Schema gets the members that it lacks (`CompleteSchema`).
        case complete
        /// The JSON Schema loses all but its most common members (`PlainSchema`).
        case plain
    }

    /// The names from the body to the field. A list counts as each of its elements: `messages`, `name`.
    package let path: [String]
    package let kind: Kind

    /// The field, for operators: `messages.name`.
    var name: String { path.joined(separator: ".") }

    /// The values of the field that are changed, in words; nil for all values.
    var conditionText: String? {
        switch kind {
        case .atMost(let most): "\(name) is above \(most)"
        case .dropUnless(let accepted): "\(name) is not \(accepted.joined(separator: " or "))"
        case .replace(let text?, _): "\(name) is \(text)"
        case .dropType(let type, _): "\(name) has \(type)"
        default: nil
        }
    }
}

extension FieldChange {
    /// Creates a change of the field at a path with points between the names.
    init(_ path: String, _ kind: Kind = .drop) {
        self.init(path: path.split(separator: ".").map(String.init), kind: kind)
    }
}

/// A field beside which alone a quirk holds, because the vendor refused a combination of fields.
package struct OtherField: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case absent
        case present
        /// The field has this value, or is an object of this type.
        case equal(String)
        /// The field has the JSON of this length of which this is a part of the digest.
        case same(UInt64, bytes: Int)
    }

    /// The paths in the request's body, of which the first that is present counts.
    package let paths: [String]
    package let state: State

    /// The field with its state, in words: `with thinking=enabled`.
    var text: String {
        switch state {
        case .absent: "without \(paths[0])"
        case .present: "with \(paths[0])"
        case .equal(let value): "with \(paths[0])=\(value)"
        case .same: "with the same \(paths[0])"
        }
    }
}

import Engine
package import Shared

/// A tool that a model is allowed to call.
package struct ToolDefinition: Sendable {
    package let name: String
    package let description: String?
    /// The JSON Schema of the arguments, as the caller wrote it; nil if the caller sent none.
    package let parameters: String?
    /// The parsed JSON Schema of the arguments; nil if the arguments are not validated.
    package let schema: JSONSchema?

    package init(name: String, description: String?, parameters: String?, schema: JSONSchema?) {
        self.name = name
        self.description = description
        self.parameters = parameters
        self.schema = schema
    }

    /// Creates the definition of a strict tool; nil if the tool is not strict or its schema cannot be read.
    init?(strict tool: ChatOptions.Tool) {
        guard tool.isStrict == true, let body = tool.schema, let schema = try? JSONSchema(body, "") else { return nil }
        self.init(name: tool.name, description: nil, parameters: nil, schema: schema)
    }

    /// Returns why the arguments of a tool call are invalid, in words for the model; nil if they are valid.
    func problem(with arguments: String, _ parser: JSONParser) -> String? {
        let text = ByteBuffer(arguments)
        guard let value = try? parser.parse(text.bytes), value.kind == .object else {
            return "\"arguments\" must be a JSON object"
        }
        guard let validation = schema?.validation(on: value, bytes: text.count), !validation.fits else { return nil }
        return "the arguments do not fit the schema of \"\(name)\": \(validation.text)"
    }
}

/// The caller's demand for tool calls: whether, or which, tools must be called.
package enum ToolDemand: Sendable, Equatable {
    case auto
    case required
    case named(String)

    /// Returns which tool must still be called, in words for the model; nil if the demand is met.
    func unmet(by names: [String]) -> String? {
        switch self {
        case .auto: nil
        case .required: names.isEmpty ? "a tool must be called" : nil
        case .named(let name):
            names.contains { $0.hasSameBytes(as: name) } ? nil : "the tool \"\(name)\" must be called"
        }
    }
}

/// A tool call that a model wrote as text.
package struct ParsedToolCall: Sendable, Equatable {
    /// The id of the call: `call_` and 24 random letters and digits.
    package let id: String
    package let name: String
    /// The arguments: a JSON object, as the model wrote it.
    package let arguments: String
}

/// An event that `ToolCallParser` emits: text, a tool call or an invalid tool call.
///
/// The bytes are valid only during the callback. A text can be split at any byte.
package enum ToolEvent {
    case text(UnsafeRawBufferPointer)
    case call(ParsedToolCall)
    /// An invalid tool call: its whole text, and the reason in words for the model.
    case broken(raw: UnsafeRawBufferPointer, reason: String)
}

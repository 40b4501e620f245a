import Engine
package import Shared

/// A tool that a model may call.
package struct ToolDefinition: Sendable {
    package let name: String
    package let description: String?
    /// The JSON Schema of the arguments, as the caller wrote it; nil if any object is allowed.
    package let parameters: String?
    /// The parsed schema of the arguments; nil if arguments are not validated.
    package let schema: JSONSchema?

    package init(name: String, description: String?, parameters: String?, schema: JSONSchema?) {
        self.name = name
        self.description = description
        self.parameters = parameters
        self.schema = schema
    }
}

/// The caller's demand for tool calls. If the caller wants no calls, no tools are offered.
package enum ToolDemand: Sendable, Equatable {
    case auto
    case required
    case named(String)

    /// Returns the problem with calls of these names, in words for the model; nil if they meet the demand.
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
    /// The id: `call_` and 24 random letters and digits.
    package let id: String
    package let name: String
    /// The arguments as a JSON object, as the model wrote it.
    package let arguments: String
}

/// An event of a response whose prompt contained tools. The bytes are valid only during the callback, and text may be
/// split anywhere.
package enum ToolEvent {
    case text(UnsafeRawBufferPointer)
    case call(ParsedToolCall)
    /// An invalid tool call.
    ///
    /// - Parameter raw: everything that the model wrote of the call. It is sent as text if no repair helps.
    case broken(raw: UnsafeRawBufferPointer, reason: String)
}

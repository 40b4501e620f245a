import Engine
package import Shared

/// A tool that a model may call.
package struct ToolOffer: Sendable {
    package let name: String
    package let description: String?
    /// JSON Schema of the arguments, as the caller wrote it; nil: any object.
    package let parameters: String?
    /// The same, read; nil: arguments are not judged by it.
    package let schema: JSONSchema?

    package init(name: String, description: String?, parameters: String?, schema: JSONSchema?) {
        self.name = name
        self.description = description
        self.parameters = parameters
        self.schema = schema
    }
}

/// The caller's demand for calls. A caller who wants none offers no tools.
package enum ToolDemand: Sendable, Equatable {
    case auto
    case required
    case named(String)

    /// Nil: calls of these names are as demanded; else what is wrong with them, in words for the model.
    func unmet(by names: [String]) -> String? {
        switch self {
        case .auto: nil
        case .required: names.isEmpty ? "a tool must be called" : nil
        case .named(let name):
            names.contains { $0.hasSameBytes(as: name) } ? nil : "the tool \"\(name)\" must be called"
        }
    }
}

/// A call that a model wrote as text.
package struct FoundCall: Sendable, Equatable {
    /// `call_` and 24 random letters and digits.
    package let id: String
    package let name: String
    /// A JSON object, as the model wrote it.
    package let arguments: String
}

/// A step of an answer whose model was told of tools. Bytes are valid during the call only, and cut where the answer was.
package enum ToolEvent {
    case text(UnsafeRawBufferPointer)
    case call(FoundCall)
    /// An invalid call; `raw`: all that the model wrote of it, to be sent as text if no repair helps.
    case broken(raw: UnsafeRawBufferPointer, reason: String)
}

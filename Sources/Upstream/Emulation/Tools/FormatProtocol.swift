package import Engine
package import Shared

/// The JSON format that a request demands of the output. The prompt describes it if the vendor does not support it.
package enum FormatProtocol: Sendable {
    /// Any JSON object.
    case object
    /// A JSON value that fits a schema, whose JSON is `text`.
    case schema(JSONSchema, text: String, name: String)

    var schema: JSONSchema? {
        if case .schema(let schema, _, _) = self { schema } else { nil }
    }

    /// Appends the instructions for the output format, which follow the conversation.
    package func appendInstructions(to buffer: inout ByteBuffer) {
        buffer.append("# Form of the answer\n\nYour final answer is one JSON ")
        switch self {
        case .object: buffer.append("object")
        case .schema(_, let text, let name):
            buffer.append("value, ", json: name, ", that fits this JSON Schema:\n\n")
            buffer.append(text)
            buffer.append(
                "\n\nWrite all required properties, by their exact names, and no others than the schema allows"
            )
        }
        buffer.append(
            """
            . Write the JSON and nothing else: no code block, no comment, no text before or after it.

            """
        )
    }

    /// Returns the text of a user message that asks the model to correct its invalid output.
    package func repair(_ reason: String) -> String {
        "Your last answer cannot be used: \(reason). Write the whole corrected JSON, and nothing else."
    }
}

package import Engine
package import Shared

/// The JSON format that a request demands of the output. The prompt describes it if the vendor does not support it.
package struct FormatProtocol: Sendable {
    package enum Kind: Sendable {
        /// Any JSON object.
        case object
        /// A JSON value that fits a schema.
        /// - Parameter schema: the parsed schema; nil if the output is not validated.
        case schema(name: String, description: String?, text: String, schema: JSONSchema?)
    }

    package let kind: Kind

    package init(_ kind: Kind) { self.kind = kind }

    var schema: JSONSchema? {
        if case .schema(_, _, _, let schema) = kind { schema } else { nil }
    }

    /// Appends the instructions for the output format, which follow the conversation.
    package func appendInstructions(to buffer: inout ByteBuffer) {
        buffer.append("# Form of the answer\n\nYour final answer is one JSON ")
        switch kind {
        case .object: buffer.append("object")
        case .schema(let name, let description, let text, _):
            buffer.append("value, ", json: name)
            if let description { buffer.append(" (", description, ")") }
            buffer.append(", that fits this JSON Schema:\n\n")
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

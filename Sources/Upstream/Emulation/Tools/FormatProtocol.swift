package import Engine
package import Shared

/// A structured answer of a vendor that knows only text: what its model is told, and what counts as the answer.
package struct FormatProtocol: Sendable {
    package enum Kind: Sendable {
        /// Any JSON object.
        case object
        /// `text`: the schema as the caller wrote it; `schema`: the same, read; nil: it is not judged.
        case schema(name: String, description: String?, text: String, schema: JSONSchema?)
    }

    package let kind: Kind

    package init(_ kind: Kind) { self.kind = kind }

    var schema: JSONSchema? {
        if case .schema(_, _, _, let schema) = kind { schema } else { nil }
    }

    /// The instructions, as a part of the system's text.
    package func appendInstructions(to buffer: inout ByteBuffer) {
        buffer.append("# Form of the answer\n\nYour final answer is one JSON ")
        switch kind {
        case .object: buffer.append("object")
        case .schema(let name, let description, let text, _):
            buffer.append("value, ")
            buffer.append(json: name)
            if let description {
                buffer.append(" (")
                buffer.append(description)
                buffer.append(")")
            }
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

    /// The request to the model to correct an answer that does not fit: one more message of the user, after its answer.
    package func repair(_ reason: String) -> String {
        "Your last answer cannot be used: \(reason). Write the whole corrected JSON, and nothing else."
    }
}

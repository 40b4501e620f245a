import Engine

/// A problem of one value in a document that does not match its schema.
package struct SchemaProblem: Equatable, Sendable {
    /// The path of the value in the document, such as `items[2].name`; empty for the whole document.
    package let path: String
    /// The description of the problem, such as "must be a string, not a number".
    package let reason: String
    /// The number of member names and indexes in the path.
    let depth: Int

    package var text: String { path.isEmpty ? "the document \(reason)" : "`\(path)` \(reason)" }
}

/// An error for a schema that is invalid or not supported.
package struct SchemaError: Error, Equatable {
    /// The description of the error, such as "`properties.a.type` must be a string or an array of strings".
    package let text: String

    init(_ text: String) { self.text = text }
}

/// The result of validating a document against a schema.
package struct SchemaValidation: Equatable, Sendable {
    /// The first problems that were found in the document; at most eight.
    package let problems: [SchemaProblem]
    /// Whether the validation exceeded the allowed work or depth. The document then counts as invalid.
    package let isUndecided: Bool
    package let fits: Bool

    /// The recorded problems in one line, separated by semicolons.
    package var text: String {
        if isUndecided && problems.isEmpty { return "the document takes too much work to be checked" }
        return problems.map(\.text).joined(separator: "; ")
    }
}

/// One step on the path to a value: a member name or an element index.
enum PathStep {
    case member(UnsafeRawBufferPointer)
    case element(Int)
}

extension [PathStep] {
    var text: String {
        var text = ""
        for step in self {
            switch step {
            case .member(let name):
                let isPlain = !name.isEmpty && name.allSatisfy { $0 == 95 || $0 == 45 || $0.isLetterOrDigit }
                if isPlain {
                    text += text.isEmpty ? shortened(name) : "." + shortened(name)
                } else {
                    text += "[\"" + shortened(name) + "\"]"
                }
            case .element(let index): text += "[\(index)]"
            }
            if text.utf8.count > 400 { return text + "..." }
        }
        return text
    }
}

/// Returns at most `most` bytes of a text, followed by `...` if the text was longer.
func shortened(_ text: UnsafeRawBufferPointer, _ most: Int = 64) -> String {
    text.count <= most ? text.text : text[part: 0..<most].text.beginning(ofBytes: most) + "..."
}

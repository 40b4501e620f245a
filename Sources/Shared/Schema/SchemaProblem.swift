import Engine

/// A place where a document does not fit its schema, in words that a model can mend its answer by.
package struct SchemaProblem: Equatable, Sendable {
    /// As `items[2].name`; empty: the document itself.
    package let path: String
    /// As "must be a string, not a number".
    package let reason: String
    /// The number of steps of the path.
    let depth: Int

    package var text: String { path.isEmpty ? "the document \(reason)" : "`\(path)` \(reason)" }
}

/// A schema that cannot be used.
package struct SchemaError: Error, Equatable {
    /// As "`properties.a.type` must be a string or an array of strings".
    package let text: String

    init(_ text: String) { self.text = text }
}

/// The verdict of a schema on a document.
package struct SchemaVerdict: Equatable, Sendable {
    /// The first ones.
    package let problems: [SchemaProblem]
    /// It took more work than was allowed, or went too deep: the document counts as one that does not fit.
    package let isUndecided: Bool
    package let fits: Bool

    /// All problems in one sentence each.
    package var text: String {
        if isUndecided && problems.isEmpty { return "the document takes too much work to be checked" }
        return problems.map(\.text).joined(separator: "; ")
    }
}

/// One step of the way to a value.
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
                let isPlain = !name.isEmpty && name.allSatisfy { $0 == 95 || $0 == 45 || isLetterOrDigit($0) }
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

func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
}

/// Its beginning, as a text of the caller's is quoted.
func shortened(_ text: UnsafeRawBufferPointer, _ most: Int = 64) -> String {
    text.count <= most ? text.text : text[part: 0..<most].text.beginning(ofBytes: most) + "..."
}

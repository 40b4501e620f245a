package import Engine

/// A position in the output of a choice at which a message begins or an annotation arrived.
package struct OutputMark: Sendable {
    package enum Kind: Sendable {
        case message(ChatMessage.Phase?)
        /// An annotation of the text before the mark: a JSON object of the Responses API.
        case annotation(Body)
    }

    package let kind: Kind
    /// The number of bytes of the choice's text before the mark.
    let textBytesBefore: Int
    /// The number of the choice's tool calls before the mark.
    let callsBefore: Int
    /// The number of the choice's reasoning blocks before the mark.
    let reasoningBefore: Int

    package init(_ kind: Kind, afterTextBytes textBytes: Int, afterCalls calls: Int, afterReasoning blocks: Int) {
        self.kind = kind
        textBytesBefore = textBytes
        callsBefore = calls
        reasoningBefore = blocks
    }

    /// Whether the text after the mark is in another output item than the text before the mark.
    var beginsItem: Bool { if case .annotation = kind { false } else { true } }

    package var bytes: Int { if case .annotation(let json) = kind { json.bytes.count } else { 0 } }
}

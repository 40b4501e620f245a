/// A thought of a model before its answer. A class: a piece of a message that few messages have takes one word.
package final class Thought: Sendable {
    /// Empty: it is not told.
    package let text: String
    /// Opaque, its vendor's; nil: it has none.
    package let signature: String?
    /// Only its vendor can read it: the signature is all of it.
    package let isSealed: Bool
    /// Of an answer: the bytes of its text that come before.
    package let textBytesBefore: Int
    /// Of an answer.
    package let callsBefore: Int

    /// Nil: there is nothing to keep.
    package init?(
        _ text: String,
        signature: String?,
        isSealed: Bool = false,
        afterTextBytes textBytes: Int = 0,
        afterCalls calls: Int = 0
    ) {
        let signature = signature.flatMap { $0.isEmpty ? nil : $0 }
        guard !text.isEmpty || signature != nil else { return nil }
        self.text = isSealed ? "" : text
        self.signature = signature
        self.isSealed = isSealed
        textBytesBefore = textBytes
        callsBefore = calls
    }

    // The beginnings of signatures of OpenAI's reasoning and of Gemini's texts; Anthropic's have none.
    package static let markOfOpenAI = "rs_"
    package static let markOfGemini = "gemini."

    /// Another vendor knows by its mark that it cannot read it.
    package var isMarked: Bool {
        guard let signature else { return false }
        return signature.hasPrefix(Self.markOfOpenAI) || signature.hasPrefix(Self.markOfGemini)
    }

    package var bytes: Int { text.utf8.count + (signature?.utf8.count ?? 0) }
}

/// A block of reasoning that a model produced.
package final class ReasoningBlock: Sendable {
    /// The text of the reasoning; empty if the vendor does not show it.
    package let text: String
    /// The signature of the reasoning, which only the vendor of the model understands; nil if there is none.
    package let signature: String?
    /// Whether only the vendor can read the reasoning. The signature then contains the whole reasoning.
    package let isSealed: Bool
    /// The number of bytes of the response's text that come before the reasoning.
    package let textBytesBefore: Int
    /// The number of the response's tool calls that come before the reasoning.
    package let callsBefore: Int

    /// Creates a block of reasoning. Returns nil if both the text and the signature are empty.
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

    // The prefixes of signatures of OpenAI's reasoning and of Gemini's texts. Anthropic's signatures have no prefix.
    package static let markOfOpenAI = "rs_"
    package static let markOfGemini = "gemini."

    /// Whether the signature begins with the prefix of OpenAI's or Gemini's signatures.
    package var isMarked: Bool {
        guard let signature else { return false }
        return signature.hasPrefix(Self.markOfOpenAI) || signature.hasPrefix(Self.markOfGemini)
    }

    package var bytes: Int { text.utf8.count + (signature?.utf8.count ?? 0) }
}

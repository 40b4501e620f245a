package import Engine

/// A block of reasoning that a model produced, or an item that only OpenAI's Responses API knows.
package final class ReasoningBlock: Sendable {
    /// The text of the reasoning; empty if the vendor does not show it.
    package let text: String
    /// The signature of the reasoning, which only the vendor of the model understands; nil if there is none.
    package let signature: String?
    /// Whether the reasoning came with the relay's own signature, which `signature` does not contain.
    package let hasOwnSignature: Bool
    /// Whether only the vendor can read the reasoning. The signature then contains the whole reasoning.
    package let isSealed: Bool
    /// The number of bytes of the response's text that come before the reasoning.
    let textBytesBefore: Int
    /// The number of the response's tool calls that come before the reasoning.
    let callsBefore: Int
    /// An input item of the Responses API whose type the relay does not know, as JSON; nil for other blocks.
    package let item: Body?
    /// The id that a server of the Responses API gave to reasoning that it does not encrypt; nil for other reasoning.
    let itemID: String?

    /// Creates a block for an input item whose type the relay does not know.
    package init(item: Body) {
        (text, signature, isSealed) = ("", nil, true)
        (textBytesBefore, callsBefore, itemID, hasOwnSignature) = (0, 0, nil, false)
        self.item = item
    }

    /// Creates a block of reasoning. Returns nil if both the text and the signature are empty.
    package init?(
        _ text: String,
        signature: String?,
        isSealed: Bool = false,
        itemID: String? = nil,
        afterTextBytes textBytes: Int = 0,
        afterCalls calls: Int = 0
    ) {
        let isOwn = signature?.hasSameBytes(as: "\(Self.ownSignature)") ?? false
        let signature = signature.flatMap { $0.isEmpty || isOwn ? nil : $0 }
        guard !text.isEmpty || signature != nil || isOwn else { return nil }
        self.text = isSealed ? "" : text
        self.signature = signature
        hasOwnSignature = isOwn
        self.isSealed = isSealed
        textBytesBefore = textBytes
        callsBefore = calls
        self.itemID = itemID
        item = nil
    }

    /// The signature of reasoning without one of its vendor's, for clients of the Messages API: some send reasoning without
    /// a signature back as a text of the user.
    package static let ownSignature: StaticString = "relay.unsigned"

    // The prefixes of signatures of the Responses API's reasoning and of Gemini's texts. Anthropic's signatures have no
    // prefix.
    static let markOfResponses = "rs_"
    static let markOfGemini = "gemini."

    /// Returns whether the content of a reasoning item is encrypted as only OpenAI does it.
    package static func isOfOpenAI(_ content: String) -> Bool { content.begins(with: "gAAAA") }

    /// Returns the signature of the Responses API's reasoning: the id of its item, which can be empty, and its encrypted content.
    package static func marked(_ content: String, _ id: String) -> String {
        let id = id.utf8.count > 150 || id.utf8.contains(UInt8(ascii: ".")) ? "" : id
        return "\(id.begins(with: markOfResponses) ? "" : markOfResponses)\(id).\(content)"
    }

    /// The prefix of the compacted conversations that OpenAI has encrypted, which are kept like sealed reasoning.
    static let markOfCompaction = "cmp_"

    /// The prefix of output items whose type the relay does not know, which are kept like sealed reasoning.
    static let markOfItem: StaticString = "item.{"

    /// The JSON of an output item whose type the relay does not know, read from the signature of its block; nil for
    /// other signatures.
    package static func item(in signature: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard signature.hasPrefix(markOfItem) else { return nil }
        return signature[part: (markOfItem.utf8CodeUnitCount - 1)..<signature.count]
    }

    /// Whether the signature is a compacted conversation that OpenAI has encrypted.
    package var isCompaction: Bool { isSealed && signature?.begins(with: Self.markOfCompaction) == true }

    /// Creates a block for a compacted conversation that OpenAI has encrypted.
    package static func compaction(_ id: String?, _ content: String) -> ReasoningBlock? {
        ReasoningBlock("", signature: "\(markOfCompaction)\(id ?? "").\(content)", isSealed: true)
    }

    /// The id and the encrypted content of a compacted conversation; nil for other blocks. The id can be empty.
    package var compactionParts: (id: String, content: String)? {
        guard isCompaction, let signature, let dot = signature.utf8.firstIndex(of: UInt8(ascii: ".")) else {
            return nil
        }
        let start = signature.utf8.index(signature.startIndex, offsetBy: Self.markOfCompaction.utf8.count)
        return (String(signature[start..<dot]), String(signature[signature.utf8.index(after: dot)...]))
    }

    /// The prefix of Anthropic's redacted reasoning in items of the Responses API, where Anthropic's signatures have none.
    private static let markOfRedacted = "redacted."

    /// Returns the content of sealed reasoning for an item of the Responses API.
    package static func itemContent(_ sealed: String) -> String {
        isOfOther(sealed) ? sealed : markOfRedacted + sealed
    }

    /// Returns Anthropic's redacted reasoning from the content of an item; nil for other content.
    package static func redacted(in content: String) -> String? {
        content.rest(after: markOfRedacted)
    }

    /// Whether the signature begins with the prefix of OpenAI's or Gemini's signatures.
    package var isMarked: Bool { signature.map(Self.isMarked) ?? false }

    /// Returns whether a signature begins with the prefix of OpenAI's or Gemini's signatures.
    package static func isMarked(_ signature: String) -> Bool {
        [markOfResponses, markOfGemini, markOfCompaction].contains { signature.begins(with: $0) }
    }

    private static func isOfOther(_ signature: String) -> Bool {
        isMarked(signature) || signature.begins(with: "\(markOfItem)")
    }

    /// Whether the signature is not Anthropic's: that of another vendor, or the relay's own.
    var isForeign: Bool { hasOwnSignature || item != nil || signature.map(Self.isOfOther) ?? false }

    static func isForeign(_ signature: UnsafeRawBufferPointer) -> Bool {
        signature.equals(ownSignature) || isOfOther(signature[part: 0..<min(8, signature.count)].text)
    }

    package var bytes: Int { text.utf8.count + (signature?.utf8.count ?? 0) + (item?.bytes.count ?? 0) }
}

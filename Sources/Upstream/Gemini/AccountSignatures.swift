import Engine
import Shared

/// Remembers the thought signatures that one Google account received. A signature stands for reasoning of the model,
/// and later requests of the conversation send it back.
struct AccountSignatures: Sendable {
    struct Signature {
        /// The thought signature of the tool call; empty if Google sent none.
        let text: String
        /// Whether Google assigned the id of the tool call. Otherwise the relay assigned it.
        let hasOwnID: Bool
    }

    private let memory: ToolCallMemory
    private let account: Digest

    init(_ memory: ToolCallMemory, of credential: Credential) {
        self.memory = memory
        account = credential.account
    }

    func signature(ofCall id: String) -> Signature? {
        if let known = kept(ofCall: id) { return known }
        // Google does not know the id that replaces one which occurs twice.
        return DistinctCallIDs.replaced(by: id).flatMap(kept).map { Signature(text: $0.text, hasOwnID: false) }
    }

    private func kept(ofCall id: String) -> Signature? {
        ToolCallMemory.key(ofCall: id, of: account).flatMap { memory.text($0) }.flatMap { Signature($0) }
    }

    func remember(_ text: String, ofCall id: String, hasOwnID: Bool) {
        guard let key = ToolCallMemory.key(ofCall: id, of: account) else { return }
        keep(Signature(text: text, hasOwnID: hasOwnID), key)
    }

    /// Whether this instance remembers the signature as one that Google sent with a text to this account.
    func isKnown(_ signature: String) -> Bool { memory.text(key(ofText: signature)) != nil }

    func remember(_ signature: UnsafeRawBufferPointer) {
        keep(Signature(text: "", hasOwnID: false), key(ofText: signature.text))
    }

    /// Returns the signature that Google sent with a whole text, or behind it; nil if none is remembered.
    func signature(of text: SaidText) -> String? {
        text.isEmpty ? nil : memory.text(key(of: text)).flatMap { Signature($0) }?.text
    }

    func remember(_ signature: String, of text: SaidText) {
        keep(Signature(text: signature, hasOwnID: false), key(of: text))
    }

    private func key(of text: SaidText) -> Digest { ToolCallMemory.key("said", text.name, of: account) }

    private func keep(_ signature: Signature, _ key: Digest) { memory.keep(signature.coded, key) { Array($0.bytes) } }

    /// Loads the missing signatures of the conversation from the store that the instances share.
    func recall(for messages: [ChatMessage], on loop: EventLoop) async {
        await memory.recall(unknown(in: messages), on: loop) { stored, _ in stored }
    }

    /// Returns the store keys of the signatures that the conversation needs and this instance lacks, beginning with the
    /// newest message. Returns no keys if the instances share no store.
    func unknown(in messages: [ChatMessage]) -> [Digest] {
        guard memory.isShared else { return [] }
        var keys: [Digest] = []
        for message in messages.reversed() where message.role == .assistant {
            for call in message.toolCalls where call.signature == nil {
                if let key = call.id.flatMap({ ToolCallMemory.key(ofCall: $0, of: account) }) { keys.append(key) }
            }
            let said = message.said
            if !said.isEmpty { keys.append(key(of: said)) }
            for case .reasoningBlock(let reasoningBlock) in message.content {
                if let bare = reasoningBlock.signature.map(TextSignature.bare) { keys.append(key(ofText: bare)) }
            }
            if keys.count >= ToolCallMemory.maxRecalledTexts { break }
        }
        return memory.unknown(keys)
    }

    private func key(ofText signature: String) -> Digest { ToolCallMemory.key("text", signature, of: account) }
}

extension AccountSignatures.Signature {
    fileprivate init?(_ kept: Body) {
        guard let first = kept.bytes.first else { return nil }
        self.init(text: kept.bytes[part: 1..<kept.bytes.count].text, hasOwnID: first == 1)
    }

    /// The bytes that are stored for the signature.
    fileprivate var coded: Body {
        var out = ByteBuffer()
        out.append(hasOwnID ? 1 : 0 as UInt8)
        out.append(text)
        return Body(out)
    }
}

/// The marking of Gemini's signatures of texts: in responses to clients, they begin with the prefix `mark`.
enum TextSignature {
    static let mark = ReasoningBlock.markOfGemini

    /// Returns the signature without the prefix `mark`, if it has this prefix.
    static func bare(_ signature: String) -> String {
        signature.rest(after: mark) ?? signature
    }
}

/// The size and the hash of the texts in one turn of a model, by which a signature of the turn is found again.
struct SaidText {
    private var bytes = 0
    private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    var isEmpty: Bool { bytes == 0 }
    var name: String { "\(bytes) \(hash)" }

    mutating func add(_ text: UnsafeRawBufferPointer) {
        bytes += text.count
        // FNV-1a.
        for byte in text { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
}

extension ChatMessage {
    var said: SaidText {
        var said = SaidText()
        for case .text(let text) in content { text.withBytes { said.add($0) } }
        return said
    }
}

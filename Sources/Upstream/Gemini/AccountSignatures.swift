import Calls
import Engine
import Shared

/// The thought signatures that a vendor made for one account, of tool calls and of texts.
struct AccountSignatures: Sendable {
    struct Signature {
        /// The signature; empty if the vendor sent none.
        let text: String
        /// Whether the vendor assigned the call's id.
        let hasOwnID: Bool
    }

    private let memory: ToolCallMemory
    private let account: Digest

    init(_ memory: ToolCallMemory, of credential: Credential) {
        self.memory = memory
        account = credential.account
    }

    func signature(ofCall id: String) -> Signature? {
        guard let key = ToolCallMemory.key(ofCall: id, of: account), let kept = memory.text(key) else { return nil }
        return Signature(kept)
    }

    func remember(_ text: String, ofCall id: String, hasOwnID: Bool) {
        guard let key = ToolCallMemory.key(ofCall: id, of: account) else { return }
        keep(Signature(text: text, hasOwnID: hasOwnID), key)
    }

    /// Whether this vendor made the signature, for this account.
    func isKnown(_ signature: String) -> Bool { memory.text(key(ofText: signature)) != nil }

    func remember(_ signature: UnsafeRawBufferPointer) {
        keep(Signature(text: "", hasOwnID: false), key(ofText: signature.text))
    }

    private func keep(_ signature: Signature, _ key: Digest) {
        memory.keep(signature.coded, key) { Array($0.bytes) }
    }

    /// Reads from the store the signatures of a conversation that this instance does not know.
    func recall(for messages: [ChatMessage], on loop: EventLoop) async {
        await memory.recall(unknown(in: messages), on: loop) { stored, _ in stored }
    }

    /// Returns the keys of a conversation's signatures that this instance does not know, the newest message first.
    func unknown(in messages: [ChatMessage]) -> [Digest] {
        guard memory.isShared else { return [] }
        var keys: [Digest] = []
        for message in messages.reversed() where message.role == .assistant {
            for call in message.toolCalls where call.signature == nil {
                if let key = call.id.flatMap({ ToolCallMemory.key(ofCall: $0, of: account) }) { keys.append(key) }
            }
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

    /// The stored form: a byte that says who assigned the id, then the signature.
    fileprivate var coded: Body {
        var out = ByteBuffer()
        out.append(hasOwnID ? 1 : 0 as UInt8)
        out.append(text)
        return Body(out)
    }
}

/// The signature of a text in the form that callers get. It has a mark, so that other vendors recognise it as foreign.
enum TextSignature {
    static let mark = ReasoningBlock.markOfGemini

    /// Returns the signature without the mark, as the vendor made it.
    static func bare(_ signature: String) -> String {
        signature.hasPrefix(mark) ? String(signature.dropFirst(mark.count)) : signature
    }
}

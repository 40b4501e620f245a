import Calls
import Engine
import Shared

/// The thought signatures that Google made for one account. They belong to tool calls or texts, and Google needs them
/// back in later requests.
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
        guard let key = ToolCallMemory.key(ofCall: id, of: account), let kept = memory.text(key) else { return nil }
        return Signature(kept)
    }

    func remember(_ text: String, ofCall id: String, hasOwnID: Bool) {
        guard let key = ToolCallMemory.key(ofCall: id, of: account) else { return }
        keep(Signature(text: text, hasOwnID: hasOwnID), key)
    }

    /// Whether Google made this signature of a text for this account, as far as this instance knows.
    func isKnown(_ signature: String) -> Bool { memory.text(key(ofText: signature)) != nil }

    func remember(_ signature: UnsafeRawBufferPointer) {
        keep(Signature(text: "", hasOwnID: false), key(ofText: signature.text))
    }

    private func keep(_ signature: Signature, _ key: Digest) {
        memory.keep(signature.coded, key) { Array($0.bytes) }
    }

    /// Loads signatures that the conversation needs and this instance does not know, from the store that instances
    /// share.
    func recall(for messages: [ChatMessage], on loop: EventLoop) async {
        await memory.recall(unknown(in: messages), on: loop) { stored, _ in stored }
    }

    /// Returns the keys, in the shared store, of signatures that the conversation needs and this instance does not
    /// know. Those of the newest message come first.
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

    /// The form for storing: a byte that is 1 if Google assigned the call's id and 0 if not, then the signature.
    fileprivate var coded: Body {
        var out = ByteBuffer()
        out.append(hasOwnID ? 1 : 0 as UInt8)
        out.append(text)
        return Body(out)
    }
}

/// The form of Google's text signatures in responses to clients: a mark stands before each signature. The mark shows
/// other vendors that the signature is not theirs.
enum TextSignature {
    static let mark = ReasoningBlock.markOfGemini

    /// Returns the signature as Google made it, without the relay's mark.
    static func bare(_ signature: String) -> String {
        signature.hasPrefix(mark) ? String(signature.dropFirst(mark.count)) : signature
    }
}

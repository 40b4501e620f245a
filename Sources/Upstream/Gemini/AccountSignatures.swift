import Calls
import Engine
import Shared

/// The signatures of calls that a vendor made for one account, and of texts.
struct AccountSignatures: Sendable {
    struct Signature {
        /// Empty: the vendor gave none.
        let text: String
        /// The vendor gave the id.
        let hasOwnID: Bool
    }

    private let memory: CallMemory
    private let account: Digest

    init(_ memory: CallMemory, of credential: Credential) {
        self.memory = memory
        account = credential.account
    }

    func signature(ofCall id: String) -> Signature? {
        guard let key = CallMemory.key(ofCall: id, of: account), let kept = memory.text(key) else { return nil }
        return Signature(kept)
    }

    func remember(_ text: String, ofCall id: String, hasOwnID: Bool) {
        guard let key = CallMemory.key(ofCall: id, of: account) else { return }
        keep(Signature(text: text, hasOwnID: hasOwnID), key)
    }

    /// It came from this vendor.
    func isKnown(_ signature: String) -> Bool { memory.text(key(ofText: signature)) != nil }

    func remember(_ signature: UnsafeRawBufferPointer) {
        keep(Signature(text: "", hasOwnID: false), key(ofText: signature.text))
    }

    private func keep(_ signature: Signature, _ key: Digest) {
        memory.keep(signature.coded, key) { Array($0.bytes) }
    }

    /// Reads from the store what this instance does not know of a conversation.
    func recall(for messages: [ChatMessage], on loop: EventLoop) async {
        await memory.recall(unknown(in: messages), on: loop) { stored, _ in stored }
    }

    /// The newest go first.
    func unknown(in messages: [ChatMessage]) -> [Digest] {
        guard memory.isShared else { return [] }
        var keys: [Digest] = []
        for message in messages.reversed() where message.role == .assistant {
            for call in message.toolCalls where call.signature == nil {
                if let key = call.id.flatMap({ CallMemory.key(ofCall: $0, of: account) }) { keys.append(key) }
            }
            for case .thought(let thought) in message.content {
                if let bare = thought.signature.map(TextSignature.bare) { keys.append(key(ofText: bare)) }
            }
            if keys.count >= CallMemory.mostRecalled { break }
        }
        return memory.unknown(keys)
    }

    private func key(ofText signature: String) -> Digest { CallMemory.key("text", signature, of: account) }
}

extension AccountSignatures.Signature {
    fileprivate init?(_ kept: Body) {
        guard let first = kept.bytes.first else { return nil }
        self.init(text: kept.bytes[part: 1..<kept.bytes.count].text, hasOwnID: first == 1)
    }

    /// A byte that tells who gave the id, and the text.
    fileprivate var coded: Body {
        var out = ByteBuffer()
        out.append(hasOwnID ? 1 : 0 as UInt8)
        out.append(text)
        return Body(out)
    }
}

/// The signature of a text, as callers are given it: other vendors know by the mark that it is not theirs.
enum TextSignature {
    static let mark = Thought.markOfGemini

    /// As the vendor made it.
    static func bare(_ signature: String) -> String {
        signature.hasPrefix(mark) ? String(signature.dropFirst(mark.count)) : signature
    }
}

import Calls
import Engine
package import Limits
import Shared

/// The signatures of calls that vendors made, for clients that do not hand them back. Shared by all loops, which keep the
/// newest, and by all instances that have one store, for a day.
package final class SignatureMemory: Sendable {
    struct Signature: Sendable {
        /// Empty: the vendor gave none.
        let text: String
        /// The vendor gave the id.
        let hasOwnID: Bool
    }

    private let table = Lock(RecentTable<Digest, Signature>())

    /// Nil: no other instance could read it.
    private let state: SharedState?

    private static let mostSignatures = 4_096
    private static let expirySeconds = 86_400
    /// A longer one is not kept.
    fileprivate static let limitBytes = 16_384

    package init(_ state: SharedState?) { self.state = state }

    func memory(of credential: Credential) -> AccountSignatures { AccountSignatures(self, credential.account) }

    fileprivate func use(_ key: Digest) -> Signature? { table.withLock { $0.use(key) } }

    fileprivate func set(_ key: Digest, _ signature: Signature) {
        table.withLock { $0.set(key, signature, atMost: Self.mostSignatures) }
        let value = [signature.hasOwnID ? 1 : 0] + Array(signature.text.utf8)
        state?.put([(Self.name(key), value)], expirySeconds: Self.expirySeconds)
    }

    /// Others may know what is not known here.
    fileprivate var isShared: Bool { state != nil }

    /// With a store that fails it stays unknown.
    fileprivate func recall(_ keys: [Digest], on loop: EventLoop) async {
        guard let state else { return }
        for key in keys {
            let value: [UInt8]?
            do throws(StoreFailure) { value = try await state.read(Self.name(key), on: loop) } catch { return }
            guard let value, let first = value.first else { continue }
            let signature = Signature(text: String(decoding: value.dropFirst(), as: UTF8.self), hasOwnID: first == 1)
            table.withLock { $0.set(key, signature, atMost: Self.mostSignatures) }
        }
    }

    private static func name(_ key: Digest) -> String { "relay:1:signature:\(key.base64url(characters: 22))" }
}

/// Those of one account at a vendor.
struct AccountSignatures: Sendable {
    private let memory: SignatureMemory
    private let account: Digest

    fileprivate init(_ memory: SignatureMemory, _ account: Digest) {
        self.memory = memory
        self.account = account
    }

    func signature(ofCall id: String) -> SignatureMemory.Signature? { memory.use(key(ofCall: id)) }

    func remember(_ text: String, ofCall id: String, hasOwnID: Bool) {
        guard text.utf8.count <= SignatureMemory.limitBytes, id.utf8.count <= 4_096 else { return }
        memory.set(key(ofCall: id), SignatureMemory.Signature(text: text, hasOwnID: hasOwnID))
    }

    /// It came from this vendor.
    func isKnown(_ signature: String) -> Bool { memory.use(key("text", signature)) != nil }

    func remember(_ signature: UnsafeRawBufferPointer) {
        memory.set(key("text", signature.text), SignatureMemory.Signature(text: "", hasOwnID: false))
    }

    /// Reads from the store what this instance does not know of a conversation.
    func recall(for messages: [ChatMessage], on loop: EventLoop) async {
        await memory.recall(unknown(in: messages), on: loop)
    }

    /// The newest go first.
    func unknown(in messages: [ChatMessage]) -> [Digest] {
        guard memory.isShared else { return [] }
        var keys: [Digest] = []
        for message in messages.reversed() where message.role == .assistant {
            for call in message.toolCalls {
                if call.signature == nil, let id = call.id { keys.append(key(ofCall: id)) }
            }
            for case .thought(let thought) in message.content {
                if let bare = thought.signature.map(TextSignature.bare) { keys.append(key("text", bare)) }
            }
            if keys.count >= Self.mostRecalled { break }
        }
        return keys.prefix(Self.mostRecalled).filter { memory.use($0) == nil }
    }

    /// That are read for one call.
    private static let mostRecalled = 16

    /// Anthropic's clients know the id by another prefix.
    private func key(ofCall id: String) -> Digest {
        for prefix: String in ["call_", "toolu_"] where id.utf8.starts(with: prefix.utf8) {
            return key("call", String(decoding: id.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
        }
        return key("call", id)
    }

    private func key(_ kind: StaticString, _ text: String) -> Digest {
        var buffer = ByteBuffer()
        account.withBytes { buffer.append($0) }
        buffer.append(kind)
        buffer.append(text)
        return Digest(of: buffer.bytes)
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

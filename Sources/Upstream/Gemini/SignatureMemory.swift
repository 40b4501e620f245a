import Calls
import Engine
import Limits
import Shared

/// The signatures of calls that vendors made, for clients that do not hand them back. Shared by all loops; the newest
/// are kept.
package final class SignatureMemory: Sendable {
    struct Signature: Sendable {
        /// Empty: the vendor gave none.
        let text: String
        /// The vendor gave the id.
        let hasOwnID: Bool
    }

    private let table = Lock(RecentTable<Digest, Signature>())

    private static let mostSignatures = 4_096
    /// A longer one is not kept.
    fileprivate static let limitBytes = 16_384

    package init() {}

    func memory(of credential: Credential) -> AccountSignatures { AccountSignatures(self, credential.account) }

    fileprivate func use(_ key: Digest) -> Signature? { table.withLock { $0.use(key) } }

    fileprivate func set(_ key: Digest, _ signature: Signature) {
        table.withLock { $0.set(key, signature, atMost: Self.mostSignatures) }
    }
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

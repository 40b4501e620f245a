package import Engine
package import Limits

/// The signatures and reasoning texts that vendors sent with tool calls. Vendors need these texts in the next request,
/// but some clients do not return them.
///
/// All loops share this object. Instances share the texts through memcached, if it is used.
package final class ToolCallMemory: Sendable {
    package enum Kind: String, Sendable {
        case signature
        case reasoningBlock = "thought"

        fileprivate var expirySeconds: Int { self == .signature ? 86_400 : 3_600 }

        /// The largest signature or reasoning text that is kept, in bytes.
        package var limitBytes: Int { self == .signature ? 16_384 : 65_536 }
    }

    private let kind: Kind
    private let memory: MemoryCache
    private let bounds: MemoryCache.Bounds
    /// The store in which all instances share signatures and reasoning; nil if only this process keeps them.
    private let state: SharedState?

    private static let maxTexts = 4_096
    private static let maxBytes = 16_777_216
    /// The largest number of signatures or reasoning texts that one upstream call reads from the shared store.
    package static let maxRecalledTexts = 16
    private static let idLimitBytes = 4_096

    package init(_ kind: Kind, _ budget: MemoryBudget, state: SharedState?) {
        self.kind = kind
        memory = MemoryCache(budget)
        bounds = MemoryCache.Bounds(entries: Self.maxTexts, bytes: min(Self.maxBytes, budget.bytes / 32))
        self.state = state
    }

    package func text(_ key: Digest) -> Body? { memory.response(key, at: LoopTime.current()) }

    /// Keeps a signature or reasoning text in memory and in the shared store, unless the text is too long.
    /// - Parameter stored: returns the bytes for the shared store; called on any thread.
    package func keep(_ text: Body, _ key: Digest, stored: @escaping @Sendable (Body) -> [UInt8]) {
        guard text.bytes.count <= kind.limitBytes else { return }
        add(text, key)
        state?.put(name(key), expirySeconds: kind.expirySeconds) { stored(text) }
    }

    private func add(_ text: Body, _ key: Digest) {
        let end = LoopTime.current().adding(seconds: kind.expirySeconds)
        memory.add(text, key, until: end, within: bounds)
    }

    // MARK: Other instances

    /// Whether other instances may have signatures or reasoning texts that this process does not have.
    package var isShared: Bool { state != nil }

    /// Returns those of `keys` for which this process has no signature or reasoning text. Only the first
    /// `maxRecalledTexts` keys are checked.
    package func unknown(_ keys: some Sequence<Digest>) -> [Digest] {
        keys.prefix(Self.maxRecalledTexts).filter { text($0) == nil }
    }

    /// Reads the signatures or reasoning texts with these keys from the shared store into memory. Stops if the store
    /// fails.
    /// - Parameter opened: decodes a stored text; returns nil if the text is damaged.
    package func recall(
        _ keys: [Digest],
        on loop: EventLoop,
        _ opened: (_ stored: [UInt8], _ key: Digest) -> [UInt8]?
    ) async {
        guard let state else { return }
        for key in keys {
            let stored: [UInt8]?
            do throws(StoreFailure) { stored = try await state.read(name(key), on: loop) } catch { return }
            guard let stored, let text = opened(stored, key) else { continue }
            add(text.withUnsafeBytes { Body(copying: $0) }, key)
        }
    }

    private func name(_ key: Digest) -> String { "relay:1:\(kind.rawValue):\(key.base64url(characters: 22))" }

    // MARK: Keys

    /// Returns the key under which a tool call's signature or reasoning text is kept; nil if the tool call's id is too
    /// long. A prefix `call_` or `toolu_` of the id is ignored.
    /// - Parameter owner: a digest of the caller or of the vendor account that owns the text.
    package static func key(ofCall id: String, of owner: Digest, _ kind: StaticString = "call") -> Digest? {
        guard id.utf8.count <= idLimitBytes else { return nil }
        return key(kind, id.rest(after: "call_") ?? id.rest(after: "toolu_") ?? id, of: owner)
    }

    package static func key(_ kind: StaticString, _ text: String, of owner: Digest) -> Digest {
        var buffer = ByteBuffer()
        owner.withBytes { buffer.append($0) }
        buffer.append(kind)
        buffer.append(text)
        return Digest(of: buffer.bytes)
    }
}

import Engine
package import Shared

extension ChatCall {
    /// Returns the value by which similar calls go to the same provider and key; nil if the call has no such value.
    ///
    /// It is the first one in `kinds` that the call has, such as its user.
    package func affinity(by kinds: [BalanceSettings.Affinity], session: @autoclosure () -> UInt64?) -> AffinityValue? {
        for kind in kinds {
            switch kind {
            case .promptCacheKey:
                if let key = chatOptions.bookkeeping.promptCacheKey, !key.isEmpty {
                    return AffinityValue(AffinityHash(key.utf8).value)
                }
            case .user:
                if let user = chatOptions.bookkeeping.user, !user.isEmpty {
                    return AffinityValue(AffinityHash(user.utf8).value)
                }
            case .session: if let session = session() { return AffinityValue(session, isSession: true) }
            case .prefix: return AffinityValue(prefixHash)
            }
        }
        return nil
    }

    /// A hash of the beginning of the prompt: the tools, the instructions and the user's first message.
    private var prefixHash: UInt64 {
        var hash = AffinityHash()
        for tool in chatOptions.tools {
            hash.add(tool.name.utf8)
            if let schema = tool.schema { withExtendedLifetime(schema) { hash.add(schema.bytes) } }
        }
        for message in messages where message.isInstruction || message.role == .user {
            for case .text(let text) in message.content { hash.add(text.utf8) }
            if message.role == .user { break }
        }
        return hash.value
    }
}

/// An FNV-1a hash of a request's property, such as its user. Requests with equal hashes go to the same provider.
///
/// All instances compute equal hashes. The hash covers only the first 256 KiB of its input.
package struct AffinityHash {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325
    private var left = 262_144

    package init() {}

    package init(_ bytes: some Sequence<UInt8>) { add(bytes) }

    package mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes.prefix(left) {
            value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
            left -= 1
        }
        value = (value ^ 0xff) &* 0x100_0000_01b3
    }
}

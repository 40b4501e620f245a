import Calls
import Engine
import Limits
import Shared

/// One caller's remembered reasoning, by the tool calls that it led to. It is encrypted in the store.
struct CallerReasoning: Sendable {
    private let memory: ToolCallMemory
    private let caller: Caller
    private let owner: Digest

    /// The longest reasoning that is remembered, in bytes.
    static let limitBytes = ToolCallMemory.Kind.reasoningBlock.limitBytes

    /// Returns nil if the caller is anonymous and so cannot own data.
    init?(_ memory: ToolCallMemory, of caller: Caller?) {
        guard let caller, let identity = caller.identity else { return nil }
        self.memory = memory
        self.caller = caller
        owner = identity.digest
    }

    /// Returns the reasoning that led to a group of tool calls; nil if it is not remembered.
    ///
    /// - Parameter id: the id of the first of these calls.
    func reasoningBlock(ofCall id: String) -> Body? {
        ToolCallMemory.key(ofCall: id, of: owner).flatMap { memory.text($0) }
    }

    func remember(_ reasoningBlock: Body, ofCall id: String) {
        guard let key = ToolCallMemory.key(ofCall: id, of: owner) else { return }
        memory.keep(reasoningBlock, key) { [caller] in
            Self.seal(of: caller)?.seal(Array($0.bytes), named: key.base64url(characters: 43)) ?? []
        }
    }

    /// Reads the reasoning of a conversation from the store, as far as this instance does not have it.
    func recall(for messages: [ChatMessage], on loop: EventLoop) async {
        let seal = Self.seal(of: caller)
        await memory.recall(unknown(in: messages), on: loop) { stored, key in
            seal?.open(stored, named: key.base64url(characters: 43))
        }
    }

    /// Returns the keys of reasoning that this instance does not have, newest first.
    func unknown(in messages: [ChatMessage]) -> [Digest] {
        guard memory.isShared else { return [] }
        return memory.unknown(
            messages.reversed().lazy.filter { $0.plainReasoning.isEmpty }
                .compactMap { message in
                    message.toolCalls.first?.id.flatMap { ToolCallMemory.key(ofCall: $0, of: owner) }
                }
        )
    }

    private static func seal(of caller: Caller) -> OwnerSeal? {
        OwnerSeal(caller, secret: nil, for: "thoughts of ", version: 1)
    }
}

extension ChatMessage {
    /// The reasoning in the message that no vendor has signed; empty if there is none.
    var plainReasoning: String {
        var reasoningBlocks = ""
        for case .reasoningBlock(let reasoningBlock) in content where reasoningBlock.signature == nil {
            reasoningBlocks += reasoningBlock.text
        }
        return reasoningBlocks
    }
}

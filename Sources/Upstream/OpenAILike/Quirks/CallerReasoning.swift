import Engine
import Limits
import Shared

/// The reasoning that the relay remembers for one caller. It is found by the id of the tool call that it led to.
struct CallerReasoning: Sendable {
    private let memory: ToolCallMemory
    private let caller: Caller
    private let owner: Digest

    /// The largest size of a remembered reasoning, in bytes.
    static let limitBytes = ToolCallMemory.Kind.reasoningBlock.limitBytes

    /// Gives access to one caller's reasoning in `memory`. Returns nil if the caller is anonymous.
    init?(_ memory: ToolCallMemory, of caller: Caller?) {
        guard let caller, let identity = caller.identity else { return nil }
        self.memory = memory
        self.caller = caller
        owner = identity.digest
    }

    /// A part of a response that is remembered by a tool call.
    struct Part {
        /// The reasoning before the calls of a message, by its first call.
        static let reasoning = Part(name: "call")
        static let signature = Part(name: "signature")
        /// The `reasoning_details` of the response whose first call it is.
        static let details = Part(name: "details")

        fileprivate let name: StaticString
    }

    /// Returns the reasoning before a message's tool calls; nil if the relay does not remember it.
    /// - Parameter id: the id of the message's first tool call.
    func reasoningBlock(ofCall id: String) -> Body? {
        part(.reasoning, ofCall: id) ?? DistinctCallIDs.replaced(by: id).flatMap { part(.reasoning, ofCall: $0) }
    }

    /// Returns a part that a server sent with a tool call; nil if none is remembered.
    func part(_ part: Part, ofCall id: String) -> Body? {
        ToolCallMemory.key(ofCall: id, of: owner, part.name).flatMap { memory.text($0) }
    }

    func remember(_ part: Part, _ text: Body, ofCall id: String) {
        guard let key = ToolCallMemory.key(ofCall: id, of: owner, part.name) else { return }
        memory.keep(text, key) { [caller] in
            Self.seal(of: caller)?.seal(Array($0.bytes), named: key.base64url(characters: 43)) ?? []
        }
    }

    /// Reads from the shared store the reasoning that this instance lacks for a conversation.
    func recall(for messages: [ChatMessage], on loop: EventLoop) async {
        let seal = Self.seal(of: caller)
        await memory.recall(unknown(in: messages), on: loop) { stored, key in
            seal?.open(stored, named: key.base64url(characters: 43))
        }
    }

    /// Returns the keys of the reasoning that this instance lacks, newest message first. Checks at most
    /// `ToolCallMemory.maxRecalledTexts` keys. Returns none without a shared store.
    func unknown(in messages: [ChatMessage]) -> [Digest] {
        guard memory.isShared else { return [] }
        return memory.unknown(
            messages.reversed().lazy.filter { $0.plainReasoning.isEmpty }.compactMap { message in
                message.toolCalls.first?.id.flatMap { ToolCallMemory.key(ofCall: $0, of: owner) }
            }
        )
    }

    private static func seal(of caller: Caller) -> OwnerSeal? {
        OwnerSeal(caller, secret: nil, for: "thoughts of ", version: 1)
    }
}

extension ChatMessage {
    /// The message's reasoning, except for reasoning with a vendor's signature; empty if there is none.
    var plainReasoning: String {
        var reasoningBlocks = ""
        for case .reasoningBlock(let reasoningBlock) in content where reasoningBlock.signature == nil {
            reasoningBlocks += reasoningBlock.text
        }
        return reasoningBlocks
    }
}

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
        /// The content blocks of Claude's reasoning before the first tool call, and of that of other models with the
        /// Messages API.
        static let claudeBlocks = Part(name: "blocks", isSigned: true)
        static let foreignBlocks = Part(name: "foreign", isSigned: true)

        fileprivate let name: StaticString
        /// Whether the part stands for reasoning with signatures, not for its text.
        fileprivate var isSigned = false
    }

    /// Returns a part that a server sent with a tool call; nil if none is remembered.
    func part(_ part: Part, ofCall id: String) -> Body? {
        kept(part, ofCall: id) ?? DistinctCallIDs.replaced(by: id).flatMap { kept(part, ofCall: $0) }
    }

    private func kept(_ part: Part, ofCall id: String) -> Body? {
        ToolCallMemory.key(ofCall: id, of: owner, part.name).flatMap { memory.text($0) }
    }

    func remember(_ part: Part, _ text: Body, ofCall id: String) {
        guard let key = ToolCallMemory.key(ofCall: id, of: owner, part.name) else { return }
        memory.keep(text, key) { [caller] in
            Self.seal(of: caller)?.seal(Array($0.bytes), named: key.base64url(characters: 43)) ?? []
        }
    }

    /// Reads from the shared store the reasoning that this instance lacks for a conversation.
    func recall(_ part: Part, for messages: [ChatMessage], on loop: EventLoop) async {
        let seal = Self.seal(of: caller)
        await memory.recall(unknown(part, in: messages), on: loop) { stored, key in
            seal?.open(stored, named: key.base64url(characters: 43))
        }
    }

    /// Returns the keys of the reasoning that this instance lacks, newest message first. Checks at most
    /// `ToolCallMemory.maxRecalledTexts` keys. Returns none without a shared store.
    func unknown(_ part: Part, in messages: [ChatMessage]) -> [Digest] {
        guard memory.isShared else { return [] }
        let lacking = messages.reversed().lazy.filter { message in
            part.isSigned ? !message.hasSignedReasoning : message.plainReasoning.isEmpty
        }
        return memory.unknown(
            lacking.compactMap { message in
                message.toolCalls.first?.id.flatMap { ToolCallMemory.key(ofCall: $0, of: owner, part.name) }
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
        content.lazy.compactMap(\.reasoning).filter { $0.signature == nil }.map(\.text).joined(separator: "")
    }
}

import Calls
import Engine
import Limits
import Shared

/// The thoughts that led to calls of tools, of one caller. The store has them sealed.
struct CallerThoughts: Sendable {
    private let memory: CallMemory
    private let caller: Caller
    private let owner: Digest

    /// A longer thought is not remembered.
    static let limitBytes = CallMemory.Kind.thought.limitBytes

    /// Nil: the caller is anonymous and owns nothing.
    init?(_ memory: CallMemory, of caller: Caller?) {
        guard let caller, let identity = caller.identity else { return nil }
        self.memory = memory
        self.caller = caller
        owner = identity.digest
    }

    /// - Parameter id: of the first of the calls.
    func thought(ofCall id: String) -> Body? {
        CallMemory.key(ofCall: id, of: owner).flatMap { memory.text($0) }
    }

    func remember(_ thought: Body, ofCall id: String) {
        guard let key = CallMemory.key(ofCall: id, of: owner) else { return }
        memory.keep(thought, key) { [caller] in
            Self.seal(of: caller)?.seal(Array($0.bytes), named: key.base64url(characters: 43)) ?? []
        }
    }

    /// Reads from the store what this instance does not know of a conversation.
    func recall(for messages: [ChatMessage], on loop: EventLoop) async {
        let seal = Self.seal(of: caller)
        await memory.recall(unknown(in: messages), on: loop) { stored, key in
            seal?.open(stored, named: key.base64url(characters: 43))
        }
    }

    /// The newest go first.
    func unknown(in messages: [ChatMessage]) -> [Digest] {
        guard memory.isShared else { return [] }
        return memory.unknown(
            messages.reversed().lazy.filter { $0.plainThought.isEmpty }
                .compactMap { message in
                    message.toolCalls.first?.id.flatMap { CallMemory.key(ofCall: $0, of: owner) }
                }
        )
    }

    private static func seal(of caller: Caller) -> OwnerSeal? {
        OwnerSeal(caller, secret: nil, for: "thoughts of ", version: 1)
    }
}

extension ChatMessage {
    /// The thoughts in it that no vendor has signed; empty: there are none.
    var plainThought: String {
        var thoughts = ""
        for case .thought(let thought) in content where thought.signature == nil { thoughts += thought.text }
        return thoughts
    }
}

import Calls
import Engine

/// A copy of a `ChatEvent`, which is itself valid only while it is emitted.
struct BufferedEvent: Sendable {
    private enum Kind: Sendable {
        case text
        case reasoning
        case refusal
        case call(Int, id: Body)
        case arguments(Int)
        case signature(call: Int?)
        case encryptedReasoning
        case message(ChatMessage.Phase?)
        case annotation
        case comment
        /// The end of a choice. If `hasStop` is true, the event's bytes are the stop sequence.
        case finish(FinishReason, hasStop: Bool)
        case native(Wire)
    }

    private let choice: Int
    private let kind: Kind
    private let bytes: Body

    init(_ choice: Int, _ event: ChatEvent) {
        self.choice = choice
        let kind: Kind
        let bytes: UnsafeRawBufferPointer
        switch event {
        case .text(let text, _): (kind, bytes) = (.text, text)
        case .reasoning(let text): (kind, bytes) = (.reasoning, text)
        case .refusal(let text): (kind, bytes) = (.refusal, text)
        case .toolCall(let index, let id, let name): (kind, bytes) = (.call(index, id: Body(copying: id)), name)
        case .toolArguments(let index, let text): (kind, bytes) = (.arguments(index), text)
        case .signature(let call, let text): (kind, bytes) = (.signature(call: call), text)
        case .encryptedReasoning(let text): (kind, bytes) = (.encryptedReasoning, text)
        case .message(let phase): (kind, bytes) = (.message(phase), UnsafeRawBufferPointer(start: nil, count: 0))
        case .annotation(let json): (kind, bytes) = (.annotation, json)
        case .comment(let text): (kind, bytes) = (.comment, text)
        case .native(let wire, let chunk): (kind, bytes) = (.native(wire), chunk)
        case .finish(let reason, let stop):
            kind = .finish(reason, hasStop: stop != nil)
            bytes = stop ?? UnsafeRawBufferPointer(start: nil, count: 0)
        }
        self.kind = kind
        self.bytes = Body(copying: bytes)
    }

    /// The number of bytes of the event's copied text.
    var count: Int { bytes.bytes.count }

    /// Whether the event proves that the response has begun; false for a forwarded chunk (`native`).
    var isOfResponse: Bool { if case .native = kind { false } else { true } }

    var isText: Bool { if case .text = kind { true } else { false } }

    func replay(_ emit: (Int, ChatEvent) -> Void) {
        switch kind {
        case .text: emit(choice, .text(bytes.bytes))
        case .reasoning: emit(choice, .reasoning(bytes.bytes))
        case .refusal: emit(choice, .refusal(bytes.bytes))
        case .call(let index, let id): emit(choice, .toolCall(index: index, id: id.bytes, name: bytes.bytes))
        case .arguments(let index): emit(choice, .toolArguments(index: index, bytes.bytes))
        case .signature(let call): emit(choice, .signature(call: call, bytes.bytes))
        case .encryptedReasoning: emit(choice, .encryptedReasoning(bytes.bytes))
        case .message(let phase): emit(choice, .message(phase))
        case .annotation: emit(choice, .annotation(bytes.bytes))
        case .comment: emit(choice, .comment(bytes.bytes))
        case .finish(let reason, let hasStop): emit(choice, .finish(reason, stop: hasStop ? bytes.bytes : nil))
        case .native(let wire): emit(choice, .native(wire, bytes.bytes))
        }
    }
}

import Calls
import Engine

/// A copy of an event, which can be kept after the event's bytes are gone.
struct EarlyEvent: Sendable {
    private enum Kind: Sendable {
        case text
        case reasoning
        case refusal
        case call(Int, id: Body)
        case arguments(Int)
        case signature(call: Int?)
        case sealedThought
        case note
        /// The end of a choice; the copied bytes are the stop sequence, if there is one.
        case finish(FinishReason, hasStop: Bool)
        case native(Wire)
    }

    private let choice: Int
    private let kind: Kind
    private let bytes: Body

    init(_ choice: Int, _ event: AnswerEvent) {
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
        case .sealedThought(let text): (kind, bytes) = (.sealedThought, text)
        case .note(let text): (kind, bytes) = (.note, text)
        case .native(let wire, let chunk): (kind, bytes) = (.native(wire), chunk)
        case .finish(let reason, let stop):
            kind = .finish(reason, hasStop: stop != nil)
            bytes = stop ?? UnsafeRawBufferPointer(start: nil, count: 0)
        }
        self.kind = kind
        self.bytes = Body(copying: bytes)
    }

    /// The number of copied bytes.
    var count: Int { bytes.bytes.count }

    /// Whether the event is more than a chunk that is forwarded unchanged, which may be without output.
    var isOfAnswer: Bool { if case .native = kind { false } else { true } }

    var isText: Bool { if case .text = kind { true } else { false } }

    func replay(_ take: (Int, AnswerEvent) -> Void) {
        switch kind {
        case .text: take(choice, .text(bytes.bytes))
        case .reasoning: take(choice, .reasoning(bytes.bytes))
        case .refusal: take(choice, .refusal(bytes.bytes))
        case .call(let index, let id): take(choice, .toolCall(index: index, id: id.bytes, name: bytes.bytes))
        case .arguments(let index): take(choice, .toolArguments(index: index, bytes.bytes))
        case .signature(let call): take(choice, .signature(call: call, bytes.bytes))
        case .sealedThought: take(choice, .sealedThought(bytes.bytes))
        case .note: take(choice, .note(bytes.bytes))
        case .finish(let reason, let hasStop): take(choice, .finish(reason, stop: hasStop ? bytes.bytes : nil))
        case .native(let wire): take(choice, .native(wire, bytes.bytes))
        }
    }
}

import Engine

/// A position in encoded events, which several loops can replay at the same time.
package struct EventCursor: Sendable {
    /// The longest text that one event has when it is replayed, in bytes. A longer text is emitted in slices.
    static let sliceBytes = 65_536

    /// The number of encoded bytes whose events were emitted.
    package private(set) var offset = 0
    /// The number of bytes of the text at `offset` that were emitted.
    private var sliced = 0

    package init() {}

    /// The number of encoded bytes whose events or slices were emitted.
    var emittedBytes: Int { offset + sliced }

    /// The first two bytes of a text in choice 0 that needs no escapes: the kind and the index of the choice.
    private static let plainText = UInt16(littleEndian: UInt16(EventKind.plainText.rawValue))

    /// Emits the next event, or the next slice of a long text. Returns false at the end, or if the bytes are damaged.
    package mutating func next(in bytes: UnsafeRawBufferPointer, _ emit: (Int, ChatEvent) -> Void) -> Bool {
        var reader = FieldReader(bytes, at: offset)
        if let text = reader.shortText(after: Self.plainText) {
            offset = reader.offset
            emit(0, .text(text, isPlain: true))
            return true
        }
        guard !reader.isAtEnd, let kind = reader.number().flatMap(EventKind.init), let choice = reader.number() else {
            return false
        }
        switch kind {
        case .text, .plainText, .reasoning, .refusal: return emitSlice(of: &reader, kind, choice, call: 0, emit)
        case .arguments:
            guard let call = reader.number() else { return false }
            return emitSlice(of: &reader, kind, choice, call: call, emit)
        default:
            guard let event = Self.event(kind, &reader) else { return false }
            offset = reader.offset
            emit(choice, event)
            return true
        }
    }

    @inline(__always)
    private mutating func emitSlice(
        of reader: inout FieldReader,
        _ kind: EventKind,
        _ choice: Int,
        call: Int,
        _ emit: (Int, ChatEvent) -> Void
    ) -> Bool {
        guard var text = reader.text() else { return false }
        if text.count > Self.sliceBytes {
            text = nextSlice(of: text, end: reader.offset)
        } else {
            offset = reader.offset
        }
        switch kind {
        case .reasoning: emit(choice, .reasoning(text))
        case .refusal: emit(choice, .refusal(text))
        case .arguments: emit(choice, .toolArguments(index: call, text))
        default: emit(choice, .text(text, isPlain: kind == .plainText))
        }
        return true
    }

    /// Returns the next slice of a long text, which consists of whole characters.
    private mutating func nextSlice(of text: UnsafeRawBufferPointer, end: Int) -> UnsafeRawBufferPointer {
        let start = sliced
        var stop = min(start + Self.sliceBytes, text.count)
        // A character has at most three bytes after its first one.
        if stop < text.count, let end = (stop - 3...stop).last(where: { text[$0] & 0xc0 != 0x80 }) { stop = end }
        sliced = stop
        if stop == text.count { (offset, sliced) = (end, 0) }
        return UnsafeRawBufferPointer(rebasing: text[start..<stop])
    }

    private static func event(_ kind: EventKind, _ reader: inout FieldReader) -> ChatEvent? {
        switch kind {
        case .encryptedReasoning: return reader.text().map { .encryptedReasoning($0) }
        case .message: return reader.number().map { .message(ChatMessage.Phase(encodedNumber: $0 - 1)) }
        case .annotation: return reader.text().map { .annotation($0) }
        case .comment: return reader.text().map { .comment($0) }
        case .call:
            guard let index = reader.number(), let id = reader.text(), let name = reader.text() else { return nil }
            return .toolCall(index: index, id: id, name: name)
        case .signature:
            guard let call = reader.number(), let text = reader.text() else { return nil }
            return .signature(call: call < 0 ? nil : call, text)
        case .finish:
            guard let reason = reader.number().flatMap(FinishReason.init(encodedNumber:)), let hasStop = reader.number()
            else { return nil }
            guard hasStop == 1 else { return .finish(reason, stop: nil) }
            return reader.text().map { .finish(reason, stop: $0) }
        case .native:
            guard let wire = reader.number().flatMap(Wire.init(encodedNumber:)), let chunk = reader.text() else {
                return nil
            }
            return .native(wire, chunk)
        case .text, .plainText, .reasoning, .refusal, .arguments: return nil
        }
    }
}

/// The kinds of encoded events. Their numbers are stored in caches.
enum EventKind: Int {
    case comment
    case text, reasoning, refusal, call, arguments, signature, encryptedReasoning, finish
    case native
    /// Text whose characters need no escapes in JSON.
    case plainText
    case message, annotation
}

/// The numbers that stand for values in a log.
extension CaseIterable where Self: Equatable, AllCases == [Self] {
    var encodedNumber: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    init?(encodedNumber: Int) {
        guard Self.allCases.indices.contains(encodedNumber) else { return nil }
        self = Self.allCases[encodedNumber]
    }
}

import Engine

/// The events of a response in their order, encoded in one buffer. The bytes of a `ChatEvent` are valid only while it
/// is emitted; those of a log stay.
///
/// `@unchecked`: used by one thread at a time.
package final class EventLog: @unchecked Sendable {
    /// The kind of the text at the end of the log, with which `join` can join more text.
    private struct Joint: Equatable {
        let kind: EventKind
        let choice: Int
        var call = 0
    }

    private var buffer = ByteBuffer()
    private var cursor = EventCursor()
    /// The kind of the last event if it is text that can be continued; otherwise nil.
    private var joint: Joint?
    /// The size of the last text in bytes, if there is a `joint`.
    private var jointBytes = 0

    package init() {}

    package var isEmpty: Bool { buffer.isEmpty }

    /// The encoded events. They include events that `next` has already emitted while others are left.
    package var bytes: UnsafeRawBufferPointer { buffer.bytes }

    /// The number of encoded bytes that were emitted while others are left.
    var emittedBytes: Int { cursor.emittedBytes }

    /// Adds a copy of an event.
    package func append(_ choice: Int, _ event: ChatEvent) {
        joint = nil
        switch event {
        case .text(let text, let isPlain): append(isPlain ? .plainText : .text, choice, text)
        case .reasoning(let text): append(.reasoning, choice, text)
        case .refusal(let text): append(.refusal, choice, text)
        case .toolCall(let index, let id, let name):
            append(.call, choice, number: index)
            buffer.append(field: id)
            buffer.append(field: name)
        case .toolArguments(let index, let text):
            append(.arguments, choice, number: index)
            buffer.append(field: text)
        case .signature(let call, let text):
            append(.signature, choice, number: call ?? -1)
            buffer.append(field: text)
        case .encryptedReasoning(let text): append(.encryptedReasoning, choice, text)
        case .message(let phase): append(.message, choice, number: phase.map { $0.encodedNumber + 1 } ?? 0)
        case .annotation(let json): append(.annotation, choice, json)
        case .comment(let text): append(.comment, choice, text)
        case .finish(let reason, let stop):
            append(.finish, choice, number: reason.encodedNumber)
            buffer.append(field: stop == nil ? 0 : 1)
            if let stop { buffer.append(field: stop) }
        case .native(let wire, let chunk):
            append(.native, choice, number: wire.encodedNumber)
            buffer.append(field: chunk)
        }
    }

    private func append(_ kind: EventKind, _ choice: Int, _ text: UnsafeRawBufferPointer) {
        buffer.append(field: kind.rawValue)
        buffer.append(field: choice)
        buffer.append(field: text)
    }

    private func append(_ kind: EventKind, _ choice: Int, number: Int) {
        buffer.append(field: kind.rawValue)
        buffer.append(field: choice)
        buffer.append(field: number)
    }

    /// Adds an event. Text is joined with the same kind of text before it, so the log does not depend on how a text was
    /// cut into events. Empty text is left out.
    package func join(_ choice: Int, _ event: ChatEvent) {
        switch event {
        case .text(let text, _): join(text, of: Joint(kind: .text, choice: choice), .text(text))
        case .reasoning(let text): join(text, of: Joint(kind: .reasoning, choice: choice), event)
        case .refusal(let text): join(text, of: Joint(kind: .refusal, choice: choice), event)
        case .toolArguments(let call, let text):
            join(text, of: Joint(kind: .arguments, choice: choice, call: call), event)
        default: append(choice, event)
        }
    }

    private func join(_ text: UnsafeRawBufferPointer, of added: Joint, _ event: ChatEvent) {
        guard let base = text.baseAddress, text.count > 0 else { return }
        guard added == joint else {
            append(added.choice, event)
            (joint, jointBytes) = (added, text.count)
            return
        }
        let (length, count) = (FieldReader.length(of: jointBytes), jointBytes + text.count)
        let shift = FieldReader.length(of: count) - length
        let end = buffer.reserve(text.count + shift)
        // A longer text can have a longer number before it.
        if shift > 0 { (end - jointBytes + shift).copyMemory(from: end - jointBytes, byteCount: jointBytes) }
        FieldReader.write(count, to: end - jointBytes - length)
        (end + shift).copyMemory(from: base, byteCount: text.count)
        buffer.wrote(text.count + shift)
        jointBytes = count
    }

    /// Adds all events of a log from which none was removed.
    package func append(contentsOf other: EventLog) {
        joint = nil
        buffer.append(other.bytes)
    }

    package func removeAll() {
        joint = nil
        buffer.release()
        cursor = EventCursor()
    }

    /// Emits the next event, or the next slice of a long text, and removes it. Returns false if the log is empty.
    package func next(_ emit: (Int, ChatEvent) -> Void) -> Bool {
        // Another text cannot be joined with a text that was emitted.
        joint = nil
        var reached = cursor
        let isThere = reached.next(in: buffer.bytes, emit)
        cursor = reached
        if reached.offset >= buffer.count { removeAll() }
        return isThere
    }

    /// Replaces all text by another text, which becomes the last event.
    func replaceText(by text: Body) {
        let kept = EventLog()
        while next({ if case .text = $1 {} else { kept.join($0, $1) } }) {}
        withExtendedLifetime(text) { kept.join(0, .text(text.bytes)) }
        swap(&buffer, &kept.buffer)
    }
}

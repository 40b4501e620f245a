import Calls
import Engine
import Shared

/// A stream that checks a response for the demanded tool call or JSON. It holds back events until the response seems
/// to meet the demand.
///
/// `@unchecked`: used on its loop only.
final class SchemaCheckedStream: ChatResponseStream, @unchecked Sendable {
    private let stream: any ChatResponseStream
    private let validator: OutputValidator
    /// Whether the response still has to be validated.
    private var isOpen = true
    /// Whether all events are held back, because the response might still turn out to be invalid.
    private var isHeld = true
    /// The held events, which are emitted before the stream's next events.
    private var held = EventBuffer()
    private var reservation: MemoryReservation?
    /// The text so far of the JSON that the request demands.
    private var text = ByteBuffer()
    private var hasText = false
    /// The finish event, which is held back until the response is validated.
    private var end: BufferedEvent?

    init(_ stream: any ChatResponseStream, _ validator: OutputValidator) {
        self.stream = stream
        self.validator = validator
    }

    var usage: Usage? { stream.usage }
    var countsItself: Bool { stream.countsItself }
    var credits: Int? { stream.credits }

    /// Waits until the first events can be emitted. Throws an error if the response is invalid.
    func begin() async throws(UpstreamError) {
        while isHeld, try await stream.more(patienceNanoseconds: .max / 2) != .end {
            while isHeld, try stream.next({ if passes($0, $1) { held.add($1) } }) { try checkRoom() }
        }
        guard isHeld else { return }
        isHeld = false
        switch validator.demand {
        case .call(let demand): if let problem = demand.unmet(by: []) { throw OutputValidator.failure(problem) }
        case .document: held.replaceText(with: try await validator.document(in: removedText()))
        }
        isOpen = false
        if let last = end.take() { held.add(last) }
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if !held.isEmpty { return .bytes }
        guard let last = end.take() else { return try await stream.more(patienceNanoseconds: patienceNanoseconds) }
        try await validator.check(removedText())
        isOpen = false
        held.add(last)
        return .bytes
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        if let event = held.removeNext() {
            event.replay(emit)
            return true
        }
        if end != nil { return false }
        let hasMore = try stream.next { choice, event in
            if passes(choice, event) { emit(choice, event) }
        }
        try checkRoom()
        return hasMore
    }

    /// Returns whether the event can be emitted now; false for a finish event that must wait for the validation.
    private func passes(_ choice: Int, _ event: ChatEvent) -> Bool {
        guard isOpen else { return true }
        switch (event, validator.demand) {
        case (.finish(let reason, _), _) where reason.isEndedByModel:
            end = BufferedEvent(choice, event)
            return false
        case (.finish, _), (.refusal, _), (.toolCall, .document): isOpen = false
        case (.toolCall(_, _, let name), .call(let demand)): isOpen = demand.unmet(by: [name.text]) != nil
        case (.text(let piece, _), .document):
            text.append(piece)
            // A text that does not begin with `{` may still contain a document after other text.
            if !hasText, let first = piece.first(where: { $0 > 32 }) { (hasText, isHeld) = (true, first != 123) }
        default: break
        }
        if !isOpen { isHeld = false }
        return true
    }

    private func checkRoom() throws(UpstreamError) {
        let bytes = held.bytes + text.count
        guard bytes <= StructuredOutputParser.limitBytes else { throw OutputValidator.failure("it is too long") }
        guard validator.memory.covers(bytes, &reservation) else { throw UpstreamError(TransportError(.overloaded)) }
    }

    private func removedText() -> Body {
        var taken = ByteBuffer()
        swap(&taken, &text)
        return Body(taken)
    }

    func stop() {
        reservation = nil
        stream.stop()
    }
}

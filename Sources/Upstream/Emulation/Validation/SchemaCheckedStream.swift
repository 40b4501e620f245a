import Engine
import Shared

/// A stream that checks a response for the demanded tool call or JSON. It holds back events until the response seems
/// to meet the demand.
final class SchemaCheckedStream: ChatStream, OnLoop, @unchecked Sendable {
    private let stream: any ChatStream
    private let validator: OutputValidator
    /// Whether the response still has to be validated.
    private var isOpen = true
    /// Whether all events are held back, because the response might still turn out to be invalid.
    private var isHeld = true
    private var holdsAll = false
    /// The held events, which are emitted before the stream's next events.
    private let held = EventLog()
    private var reservation: MemoryReservation?
    /// The text so far of the JSON that the request demands.
    private var text = ByteBuffer()
    private var hasText = false
    /// The events from the first tool call on, which are held back until the arguments are validated.
    private let calls = EventLog()
    /// The tool calls whose events are held back. An index is that of the events.
    private var heldCalls: [(index: Int, name: String, arguments: [UInt8])] = []
    /// The finish event, which is held back until the response is validated; empty before it has arrived.
    private let end = EventLog()

    init(_ stream: any ChatStream, _ validator: OutputValidator) {
        self.stream = stream
        self.validator = validator
    }

    var usage: Usage? { stream.usage }
    var countsItself: Bool { stream.countsItself }
    var credits: Int? { stream.credits }
    var original: Body? { stream.original }

    /// Waits until the first events can be emitted. Throws an error if the response is invalid.
    /// - Parameter holdsAll: whether to hold back all events until the end, so that an invalid response can be asked for
    ///   again.
    func begin(holdingAll holdsAll: Bool) async throws(UpstreamError) {
        self.holdsAll = holdsAll
        while isHeld || holdsAll, try await stream.more(patienceNanoseconds: .max / 2) != .end {
            while isHeld || holdsAll, try stream.next({ if passes($0, $1) { held.join($0, $1) } }) { try checkRoom() }
        }
        guard isHeld || holdsAll && isOpen else { return }
        isHeld = false
        switch validator.demand {
        case .call(let demand):
            if let problem = demand.unmet(by: heldCalls.map(\.name)) { throw OutputValidator.failure(problem) }
        case .document: if heldCalls.isEmpty { held.replaceText(by: try await validator.document(in: removedText())) }
        }
        try await releaseCalls()
        releaseEnd()
    }

    private func releaseEnd() {
        isOpen = false
        held.append(contentsOf: end)
        end.removeAll()
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if !held.isEmpty { return .bytes }
        if end.isEmpty { return try await stream.more(patienceNanoseconds: patienceNanoseconds) }
        if heldCalls.isEmpty { try await validator.check(removedText()) }
        try await releaseCalls()
        releaseEnd()
        return .bytes
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        if held.next(emit) { return true }
        if !end.isEmpty { return false }
        let hasMore = try stream.next { choice, event in if passes(choice, event) { emit(choice, event) } }
        try checkRoom()
        return hasMore
    }

    /// Validates the tool calls that are held back, and lets their events be emitted.
    private func releaseCalls() async throws(UpstreamError) {
        let calls = heldCalls.map { call in
            ToolCall(id: nil, name: call.name, arguments: String(decoding: call.arguments, as: UTF8.self))
        }
        try await validator.check(calls)
        emitCalls()
    }

    private func emitCalls() {
        heldCalls = []
        held.append(contentsOf: calls)
        calls.removeAll()
    }

    /// Holds back an event of a tool call, or one that follows a tool call. Returns false for other events.
    private func isHeldBack(_ choice: Int, _ event: ChatEvent) -> Bool {
        switch event {
        case .toolCall(let index, _, let name): heldCalls.append((index, name.text, []))
        case .toolArguments(let index, let text):
            if let heldIndex = heldCalls.lastIndex(where: { $0.index == index }) {
                heldCalls[heldIndex].arguments += text
            }
        case .finish: return false
        default: guard !heldCalls.isEmpty else { return false }
        }
        calls.join(choice, event)
        return true
    }

    /// Returns whether the event can be emitted now; false for an event that must wait for the validation.
    private func passes(_ choice: Int, _ event: ChatEvent) -> Bool {
        guard isOpen else { return true }
        if validator.checksArguments, isHeldBack(choice, event) { return false }
        switch (event, validator.demand) {
        case (.finish(let reason, _), _) where reason.isEndedByModel:
            end.append(choice, event)
            return false
        case (.finish, _) where !heldCalls.isEmpty:
            // The tool calls may be cut off, so they are not validated.
            calls.append(choice, event)
            emitCalls()
            (isOpen, isHeld) = (false, false)
            return false
        case (.finish, _), (.refusal, _), (.toolCall, .document): isOpen = false
        case (.toolCall(_, _, let name), .call(let demand)): isOpen = demand.unmet(by: [name.text]) != nil
        case (.text(let piece, _), .document):
            text.append(piece)
            // A text that does not begin with `{` may still contain a document after other text.
            if !hasText, let first = piece.first(where: { $0 > 32 }) { (hasText, isHeld) = (true, first != 123) }
        case (.text(let piece, _), .call(.auto)): if piece.contains(where: { $0 > 32 }) { isHeld = false }
        default: break
        }
        if !isOpen { isHeld = false }
        return true
    }

    private func checkRoom() throws(UpstreamError) {
        let bytes = held.bytes.count + text.count + 2 * calls.bytes.count
        guard holdsAll || bytes <= StructuredOutputParser.limitBytes else {
            throw OutputValidator.failure("it is too long")
        }
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

/// A chat whose responses are checked for the tool call or the JSON that the request demands.
final class SchemaCheckedChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    private let chat: any PreparedChat
    private let validator: OutputValidator

    init(_ chat: any PreparedChat, _ validator: OutputValidator) {
        self.chat = chat
        self.validator = validator
    }

    func write() { chat.write() }

    var promptTokens: Int { chat.promptTokens }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        let stream = SchemaCheckedStream(try await chat.open(isStreamed: isStreamed, by: attempt), validator)
        do throws(UpstreamError) {
            try await stream.begin(holdingAll: !isStreamed)
            return stream
        } catch {
            var error = error
            // The vendor bills a response that has begun.
            if error.isCut || !isStreamed { error.usage = stream.usage }
            stream.stop()
            throw error
        }
    }
}

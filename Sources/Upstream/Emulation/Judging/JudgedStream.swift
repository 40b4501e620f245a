import Calls
import Engine
import Shared

/// The stream of a `JudgedChat`. Nothing is told before the call that is demanded, or before a document begins as one.
/// Then all goes on as it comes; the end of a document tells if it fits.
///
/// `@unchecked`: used on its loop only.
final class JudgedStream: ChatAnswerStream, @unchecked Sendable {
    private let stream: any ChatAnswerStream
    private let judge: AnswerJudge
    /// Neither the demanded call has come, nor anything in its place, nor the end of a document.
    private var isOpen = true
    /// It is not known yet if the client may be told.
    private var isHeld = true
    /// To be handed over first.
    private var held = HeldEvents()
    private var hold: MemoryHold?
    /// Of a document.
    private var text = ByteBuffer()
    private var hasText = false
    /// It is handed over when the answer has been judged.
    private var end: EarlyEvent?

    init(_ stream: any ChatAnswerStream, _ judge: AnswerJudge) {
        self.stream = stream
        self.judge = judge
    }

    var usage: Usage? { stream.usage }
    var countsItself: Bool { stream.countsItself }
    var credits: Int? { stream.credits }

    /// Returns when it is known that the client may be told, so that a failure before that may still be mended.
    func begin() async throws(UpstreamError) {
        while isHeld, try await stream.more(patienceNanoseconds: .max / 2) != .end {
            while isHeld, try stream.next({ if passes($0, $1) { held.add($1) } }) { try checkRoom() }
        }
        guard isHeld else { return }
        isHeld = false
        switch judge.demand {
        case .call(let demand): if let problem = demand.unmet(by: []) { throw AnswerJudge.failure(problem) }
        case .document: held.replaceText(with: try await judge.document(in: takenText()))
        }
        isOpen = false
        if let last = end.take() { held.add(last) }
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if !held.isEmpty { return .bytes }
        guard let last = end.take() else { return try await stream.more(patienceNanoseconds: patienceNanoseconds) }
        try await judge.check(takenText())
        isOpen = false
        held.add(last)
        return .bytes
    }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        if let event = held.takeNext() {
            event.replay(take)
            return true
        }
        if end != nil { return false }
        let hasMore = try stream.next { choice, event in
            if passes(choice, event) { take(choice, event) }
        }
        try checkRoom()
        return hasMore
    }

    /// False: it is the end of what is yet to be judged.
    private func passes(_ choice: Int, _ event: AnswerEvent) -> Bool {
        guard isOpen else { return true }
        switch (event, judge.demand) {
        case (.finish(let reason, _), _) where reason.isOfChoice:
            end = EarlyEvent(choice, event)
            return false
        case (.finish, _), (.refusal, _), (.toolCall, .document): isOpen = false
        case (.toolCall(_, _, let name), .call(let demand)): isOpen = demand.unmet(by: [name.text]) != nil
        case (.text(let piece, _), .document):
            text.append(piece)
            // A document may stand behind something else, too.
            if !hasText, let first = piece.first(where: { $0 > 32 }) { (hasText, isHeld) = (true, first != 123) }
        default: break
        }
        if !isOpen { isHeld = false }
        return true
    }

    private func checkRoom() throws(UpstreamError) {
        let bytes = held.bytes + text.count
        guard bytes <= StructuredAnswer.limitBytes else { throw AnswerJudge.failure("it is too long") }
        guard judge.memory.covers(bytes, &hold) else { throw UpstreamError(TransportError(.overloaded)) }
    }

    private func takenText() -> Body {
        var taken = ByteBuffer()
        swap(&taken, &text)
        return Body(taken)
    }

    func stop() {
        hold = nil
        stream.stop()
    }
}

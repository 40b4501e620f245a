import Calls
import Engine
import Shared

/// Reads a response and remembers the reasoning that led to its first tool call. Only the first of several choices
/// counts.
///
/// `@unchecked`: used on its loop only.
final class ThoughtReader: WireReader, @unchecked Sendable {
    private let inner: AnswerReader
    private let thoughts: CallerThoughts
    private var thought = ByteBuffer()
    /// Whether the reasoning has been remembered, or is too long for that.
    private var isOver = false

    init(_ inner: AnswerReader, _ thoughts: CallerThoughts) {
        self.inner = inner
        self.thoughts = thoughts
    }

    var usage: Usage? { inner.usage }
    var hasBegun: Bool { inner.hasBegun }
    var isFinished: Bool { inner.isFinished }
    var isWhole: Bool { inner.isWhole }

    func takeText(from events: inout EventStreamParser, _ take: Take) -> Bool { inner.takeText(from: &events, take) }

    func take(
        event data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer,
        _ take: Take
    ) throws(UpstreamError) -> Bool {
        try inner.take(event: data, named: name) { choice, event in
            note(choice, event)
            take(choice, event)
        }
    }

    func take(whole body: UnsafeRawBufferPointer, _ take: Take) throws(UpstreamError) {
        try inner.take(whole: body) { choice, event in
            note(choice, event)
            take(choice, event)
        }
    }

    func end(_ take: Take) throws(UpstreamError) { try inner.end(take) }

    func answer(_ body: Body) throws(UpstreamError) -> ChatAnswer {
        let answer = try inner.answer(body)
        if let choice = answer.choices.first, let thought = choice.reasoning, let id = choice.toolCalls.first?.id {
            thoughts.remember(thought, ofCall: id)
        }
        return answer
    }

    private func note(_ choice: Int, _ event: AnswerEvent) {
        guard !isOver, choice == 0 else { return }
        switch event {
        case .reasoning(let piece):
            isOver = thought.count + piece.count > CallerThoughts.limitBytes
            if !isOver { thought.append(piece) }
        case .toolCall(_, let id, _):
            isOver = true
            if !thought.isEmpty, !id.isEmpty { thoughts.remember(Body(copying: thought.bytes), ofCall: id.text) }
        default: return
        }
        if isOver { thought.release() }
    }
}

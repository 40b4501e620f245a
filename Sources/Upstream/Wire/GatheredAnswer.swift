import Calls
import Engine
import Shared

/// A whole choice that is put together from its events.
struct GatheredAnswer: ~Copyable {
    private var text = ByteBuffer()
    private var refusal = ByteBuffer()
    /// The reasoning whose signature has not arrived.
    private var thought = ByteBuffer()
    /// The bytes of text, and the number of tool calls, that came before the current reasoning.
    private var before = (textBytes: 0, calls: 0)
    private var thoughts: [Thought] = []
    private var calls: [ToolCall] = []
    /// The arguments of the last tool call.
    private var arguments = ByteBuffer()
    private var finish = FinishReason.stop
    private var stop: Body?
    private var bytes = 0
    private var hold: MemoryHold?

    mutating func take(_ event: AnswerEvent) {
        switch event {
        case .text(let piece, _): text.append(counted(piece))
        case .refusal(let piece): refusal.append(counted(piece))
        case .reasoning(let piece):
            if before != here { closeThought(nil) }
            thought.append(counted(piece))
        case .signature(nil, let signature): closeThought(counted(signature).text)
        case .sealedThought(let data):
            closeThought(nil)
            let sealed = counted(data).text
            let place = here
            add(
                Thought(
                    "",
                    signature: sealed,
                    isSealed: true,
                    afterTextBytes: place.textBytes,
                    afterCalls: place.calls
                )
            )
        case .toolCall(_, let id, let name):
            closeCall()
            var call = ToolCall(id: id.isEmpty ? nil : counted(id).text, name: counted(name).text, arguments: "")
            call.place = text.count
            calls.append(call)
        case .toolArguments(_, let piece): arguments.append(counted(piece))
        case .signature(.some, let signature):
            if !calls.isEmpty { calls[calls.count - 1].signature = counted(signature).text }
        case .finish(let reason, let sequence):
            finish = reason
            stop = sequence.map { Body(copying: $0) }
        case .note, .native: break
        }
    }

    /// Accounts for the memory of the choice so far.
    ///
    /// - Throws: an error if the choice is too long or the memory budget is exhausted.
    mutating func charge(_ budget: MemoryBudget?) throws(UpstreamError) {
        guard bytes <= ChatAnswer.limitBytes else { throw .brokenAnswer("the vendor's response is too long") }
        guard budget?.covers(bytes, &hold) ?? true else { throw UpstreamError(TransportError(.overloaded)) }
    }

    consuming func finished() -> ChatAnswer.Choice {
        closeCall()
        var reasoning: Body?
        if thoughts.isEmpty, !thought.isEmpty, before == (0, 0) {
            reasoning = Body(copying: thought.bytes)
        } else {
            closeThought(nil)
        }
        var choice = ChatAnswer.Choice(text: nil, finish: finish)
        if !text.isEmpty || calls.isEmpty && refusal.isEmpty { choice.text = Body(copying: text.bytes) }
        if !refusal.isEmpty { choice.refusal = Body(copying: refusal.bytes) }
        choice.reasoning = reasoning
        choice.thoughts = thoughts
        choice.toolCalls = calls
        choice.stop = stop
        return choice
    }

    private var here: (textBytes: Int, calls: Int) { (text.count, calls.count) }

    private mutating func counted(_ piece: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        bytes += piece.count
        return piece
    }

    private mutating func closeThought(_ signature: String?) {
        let place = thought.isEmpty ? here : before
        add(Thought(thought.text, signature: signature, afterTextBytes: place.textBytes, afterCalls: place.calls))
        thought.removeAll()
        before = here
    }

    private mutating func add(_ whole: Thought?) { if let whole { thoughts.append(whole) } }

    private mutating func closeCall() {
        guard !calls.isEmpty else { return }
        calls[calls.count - 1].arguments = arguments.text
        arguments.removeAll()
    }
}

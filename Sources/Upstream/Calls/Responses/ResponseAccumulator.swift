import Engine

/// Builds a complete response from its events.
package struct ResponseAccumulator: ~Copyable {
    private final class OtherChoice {
        var accumulator = ChoiceAccumulator()

        func finished() -> ChatResponse.Choice {
            var finished = ChoiceAccumulator()
            swap(&finished, &accumulator)
            return finished.finished()
        }
    }

    /// The accumulator of the choice with the index 0, which most responses have alone.
    private var first = ChoiceAccumulator()
    private var hasFirst = false
    private var others: [Int: OtherChoice] = [:]

    package init() {}

    package mutating func append(_ choice: Int, _ event: ChatEvent) {
        if choice <= 0 {
            hasFirst = true
            return first.append(event)
        }
        let other = others[choice] ?? OtherChoice()
        others[choice] = other
        other.accumulator.append(event)
    }

    /// Returns the choices of which an event has arrived, in the order of their indexes; an empty choice if there is
    /// none.
    package consuming func finished() -> [ChatResponse.Choice] {
        var choices = hasFirst || others.isEmpty ? [first.finished()] : []
        if others.isEmpty { return choices }
        for (_, other) in others.sorted(by: { $0.key < $1.key }) { choices.append(other.finished()) }
        return choices
    }
}

/// Builds a complete choice from its events.
struct ChoiceAccumulator: ~Copyable {
    private var text = ByteBuffer()
    private var refusal = ByteBuffer()
    /// The text of the current reasoning block, as far as it has arrived.
    private var reasoningBlock = ByteBuffer()
    /// The size of the text in bytes and the number of tool calls when the current reasoning block began.
    private var before = (textBytes: 0, calls: 0)
    private var reasoningBlocks: [ReasoningBlock] = []
    private var calls: [ToolCall] = []
    private var marks: [OutputMark] = []
    /// The arguments of the last tool call that have arrived so far.
    private var arguments = ByteBuffer()
    private var finish = FinishReason.stop
    private var stop: Body?

    mutating func append(_ event: ChatEvent) {
        switch event {
        case .text(let piece, _): text.append(piece)
        case .refusal(let piece): refusal.append(piece)
        case .reasoning(let piece):
            if before != here { closeReasoning(nil) }
            reasoningBlock.append(piece)
        case .signature(nil, let signature): closeReasoning(signature.text)
        case .encryptedReasoning(let data):
            closeReasoning(nil)
            add(
                ReasoningBlock(
                    "",
                    signature: data.text,
                    isSealed: true,
                    afterTextBytes: here.textBytes,
                    afterCalls: here.calls
                )
            )
        case .toolCall(_, let id, let name):
            closeCall()
            var call = ToolCall(id: id.isEmpty ? nil : id.text, name: name.text, arguments: "")
            call.contentBefore = text.count
            calls.append(call)
        case .toolArguments(_, let piece): arguments.append(piece)
        case .signature(.some, let signature): if !calls.isEmpty { calls[calls.count - 1].signature = signature.text }
        case .finish(let reason, let sequence):
            finish = reason
            stop = sequence.map { Body(copying: $0) }
        case .message(let phase): add(.message(phase))
        case .annotation(let json): add(.annotation(Body(copying: json)))
        case .comment, .native: break
        }
    }

    consuming func finished() -> ChatResponse.Choice {
        closeCall()
        var reasoning: Body?
        if reasoningBlocks.isEmpty, !reasoningBlock.isEmpty, before == (0, 0) {
            reasoning = Body(copying: reasoningBlock.bytes)
        } else if !reasoningBlock.isEmpty {
            closeReasoning(nil)
        }
        let hasText = !text.isEmpty || calls.isEmpty && refusal.isEmpty
        return ChatResponse.Choice(
            text: hasText ? Body(text) : nil,
            reasoning: reasoning,
            reasoningBlocks: reasoningBlocks,
            refusal: refusal.isEmpty ? nil : Body(copying: refusal.bytes),
            toolCalls: calls,
            marks: marks,
            finish: finish,
            stop: stop
        )
    }

    private var here: (textBytes: Int, calls: Int) { (text.count, calls.count) }

    private mutating func closeReasoning(_ signature: String?) {
        let start = reasoningBlock.isEmpty ? here : before
        add(
            ReasoningBlock(
                reasoningBlock.text,
                signature: signature,
                afterTextBytes: start.textBytes,
                afterCalls: start.calls
            )
        )
        reasoningBlock.removeAll()
        before = here
    }

    private mutating func add(_ whole: ReasoningBlock?) { if let whole { reasoningBlocks.append(whole) } }

    private mutating func add(_ mark: OutputMark.Kind) {
        if !reasoningBlock.isEmpty { closeReasoning(nil) }
        marks.append(
            OutputMark(mark, afterTextBytes: text.count, afterCalls: calls.count, afterReasoning: reasoningBlocks.count)
        )
    }

    private mutating func closeCall() {
        guard !calls.isEmpty else { return }
        calls[calls.count - 1].arguments = arguments.text
        arguments.removeAll()
    }
}

import Calls
import Engine
import Shared

/// Builds a complete choice from the events of a stream.
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
    private var bytes = 0
    private var reservation: MemoryReservation?

    mutating func append(_ event: ChatEvent) {
        switch event {
        case .text(let piece, _): text.append(counted(piece))
        case .refusal(let piece): refusal.append(counted(piece))
        case .reasoning(let piece):
            if before != here { closeReasoning(nil) }
            reasoningBlock.append(counted(piece))
        case .signature(nil, let signature): closeReasoning(counted(signature).text)
        case .encryptedReasoning(let data):
            closeReasoning(nil)
            let sealed = counted(data).text
            let position = here
            add(
                ReasoningBlock(
                    "",
                    signature: sealed,
                    isSealed: true,
                    afterTextBytes: position.textBytes,
                    afterCalls: position.calls
                )
            )
        case .toolCall(_, let id, let name):
            closeCall()
            var call = ToolCall(id: id.isEmpty ? nil : counted(id).text, name: counted(name).text, arguments: "")
            call.position = text.count
            calls.append(call)
        case .toolArguments(_, let piece): arguments.append(counted(piece))
        case .signature(.some, let signature):
            if !calls.isEmpty { calls[calls.count - 1].signature = counted(signature).text }
        case .finish(let reason, let sequence):
            finish = reason
            stop = sequence.map { Body(copying: $0) }
        case .message(let phase): add(.message(phase))
        case .annotation(let json): add(.annotation(Body(copying: counted(json))))
        case .comment, .native: break
        }
    }

    /// Reserves memory for the received bytes of the choice. Throws if the choice is too long or the memory budget is
    /// used up.
    mutating func charge(_ budget: MemoryBudget?) throws(UpstreamError) {
        guard bytes <= ChatResponse.limitBytes else { throw .invalidResponse("the vendor's response is too long") }
        guard budget?.covers(bytes, &reservation) ?? true else { throw UpstreamError(TransportError(.overloaded)) }
    }

    consuming func finished() -> ChatResponse.Choice {
        closeCall()
        var reasoning: Body?
        if reasoningBlocks.isEmpty, !reasoningBlock.isEmpty, before == (0, 0) {
            reasoning = Body(copying: reasoningBlock.bytes)
        } else {
            closeReasoning(nil)
        }
        var choice = ChatResponse.Choice(text: nil, finish: finish)
        if !text.isEmpty || calls.isEmpty && refusal.isEmpty { choice.text = Body(copying: text.bytes) }
        if !refusal.isEmpty { choice.refusal = Body(copying: refusal.bytes) }
        choice.reasoning = reasoning
        choice.reasoningBlocks = reasoningBlocks
        choice.toolCalls = calls
        choice.marks = marks
        choice.stop = stop
        return choice
    }

    private var here: (textBytes: Int, calls: Int) { (text.count, calls.count) }

    private mutating func counted(_ piece: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        bytes += piece.count
        return piece
    }

    private mutating func closeReasoning(_ signature: String?) {
        let position = reasoningBlock.isEmpty ? here : before
        add(
            ReasoningBlock(
                reasoningBlock.text,
                signature: signature,
                afterTextBytes: position.textBytes,
                afterCalls: position.calls
            )
        )
        reasoningBlock.removeAll()
        before = here
    }

    private mutating func add(_ whole: ReasoningBlock?) { if let whole { reasoningBlocks.append(whole) } }

    private mutating func add(_ mark: OutputMark.Kind) {
        if !reasoningBlock.isEmpty { closeReasoning(nil) }
        bytes += 64
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

import Calls
import Engine
import Shared

/// A reader for chat completions that remembers the reasoning before the first tool call of the first choice.
final class ReasoningRecorder: WireReader, OnLoop, @unchecked Sendable {
    private let inner: ChatCompletionReader
    private let reasoningBlocks: CallerReasoning
    private var reasoningBlock = ByteBuffer()
    /// Whether recording has ended: the reasoning was remembered, or it is too long to be remembered.
    private var isOver = false

    init(_ inner: ChatCompletionReader, _ reasoningBlocks: CallerReasoning) {
        self.inner = inner
        self.reasoningBlocks = reasoningBlocks
    }

    var usage: Usage? { inner.usage }
    var hasBegun: Bool { inner.hasBegun }
    var isFinished: Bool { inner.isFinished }
    var isWhole: Bool { inner.isWhole }

    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool {
        inner.consumeText(from: &events, emit)
    }

    func consume(
        event data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer,
        _ emit: Emit
    ) throws(UpstreamError) -> Bool {
        try inner.consume(event: data, named: name) { choice, event in
            record(choice, event)
            emit(choice, event)
        }
    }

    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        try inner.consume(whole: body) { choice, event in
            record(choice, event)
            emit(choice, event)
        }
    }

    func end(_ emit: Emit) throws(UpstreamError) { try inner.end(emit) }

    func read(whole body: Body, _ emit: Emit) throws(UpstreamError) -> Body? {
        try inner.read(whole: body) { choice, event in
            record(choice, event)
            emit(choice, event)
        }
    }

    private func record(_ choice: Int, _ event: ChatEvent) {
        guard !isOver, choice == 0 else { return }
        switch event {
        case .reasoning(let piece):
            isOver = reasoningBlock.count + piece.count > CallerReasoning.limitBytes
            if !isOver { reasoningBlock.append(piece) }
        case .toolCall(_, let id, _):
            isOver = true
            if !reasoningBlock.isEmpty, !id.isEmpty {
                reasoningBlocks.remember(Body(copying: reasoningBlock.bytes), ofCall: id.text)
            }
        default: return
        }
        if isOver { reasoningBlock.release() }
    }
}

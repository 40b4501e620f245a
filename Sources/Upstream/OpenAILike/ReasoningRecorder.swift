import Engine
import Shared

/// A reader that remembers the reasoning before the first tool call of the first choice, signatures of tool calls, and
/// `reasoning_details`.
final class ReasoningRecorder: WireReaderDecorator, OnLoop, @unchecked Sendable {
    private let reader: ChatCompletionReader
    var inner: any WireReader { reader }
    private let reasoningBlocks: CallerReasoning
    /// The id of the tool call that began last.
    private var callID = ""
    /// The id of the first choice's first tool call; empty before it.
    private var firstID = ""
    private var reasoningBlock = ByteBuffer()
    /// Whether recording has ended: the reasoning was remembered, or it is too long to be remembered.
    private var isOver = false

    /// - Parameter remembersReasoning: whether the reasoning is remembered, and not only the signatures.
    init(_ reader: ChatCompletionReader, _ reasoningBlocks: CallerReasoning, remembersReasoning: Bool) {
        isOver = !remembersReasoning
        self.reader = reader
        reader.keepsDetails = true
        self.reasoningBlocks = reasoningBlocks
    }

    func pass(_ choice: Int, _ event: ChatEvent, _ emit: Emit) {
        switch event {
        case .toolCall(_, let id, _):
            callID = id.text
            if choice == 0, firstID.isEmpty { firstID = callID }
        case .signature(.some, let signature):
            reasoningBlocks.remember(.signature, Body(copying: signature), ofCall: callID)
        case .finish where choice == 0 && !firstID.isEmpty:
            if let details = reader.details.body { reasoningBlocks.remember(.details, details, ofCall: firstID) }
        default: break
        }
        record(choice, event)
        emit(choice, event)
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
                reasoningBlocks.remember(.reasoning, Body(copying: reasoningBlock.bytes), ofCall: id.text)
            }
        default: return
        }
        if isOver { reasoningBlock.release() }
    }
}

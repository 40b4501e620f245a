package import Engine
package import Shared

/// A complete chat response. Its fields are stored behind one pointer, which keeps stack frames small.
package struct ChatResponse: Sendable {
    /// The maximum size of one choice that is collected from chunks, in bytes.
    package static let limitBytes = 33_554_432

    package struct Choice: Sendable {
        /// The text of the choice in UTF-8; nil if there is no text.
        package var text: Body?
        package var reasoning: Body?
        /// The reasoning as blocks with signatures, in order. Vendors that sign reasoning set these instead of
        /// `reasoning`.
        package var reasoningBlocks: [ReasoningBlock] = []
        package var refusal: Body?
        package var toolCalls: [ToolCall] = []
        /// The beginnings and annotations of the messages that the text consists of; empty for one message without both.
        package var marks: [OutputMark] = []
        package var finish: FinishReason
        /// The stop sequence that ended the choice; nil if the choice ended for another reason.
        package var stop: Body?

        /// Emits the reasoning blocks, the tool calls, the marks and the pieces of text in their original order.
        ///
        /// An annotation precedes the piece of text to which it belongs, unless the text is split at annotations.
        package func forEachPart(
            splittingAtAnnotations: Bool = false,
            reasoningBlock emitReasoning: (ReasoningBlock) -> Void,
            text emitText: (UnsafeRawBufferPointer) -> Void,
            call emitCall: (ToolCall) -> Void,
            mark emitMark: (OutputMark) -> Void = { _ in }
        ) {
            let text = text?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
            var reported = 0
            func flush(upTo offset: Int) {
                var end = min(offset, text.count)
                // The text may have been changed since, so the offset may be inside a character.
                while end > reported, end < text.count, text[end] & 0xc0 == 0x80 { end -= 1 }
                guard end > reported else { return }
                emitText(text[part: reported..<end])
                reported = end
            }
            forEachReasoningAndCall { reasoningBlock in
                flush(upTo: reasoningBlock.textBytesBefore)
                emitReasoning(reasoningBlock)
            } call: { call in
                flush(upTo: call.contentBefore)
                emitCall(call)
            } mark: { mark in
                if splittingAtAnnotations || mark.beginsItem { flush(upTo: mark.textBytesBefore) }
                emitMark(mark)
            }
            flush(upTo: text.count)
        }

        /// Emits the reasoning blocks, the tool calls and the marks in their original order.
        func forEachReasoningAndCall(
            reasoningBlock emitReasoning: (ReasoningBlock) -> Void,
            call emitCall: (ToolCall) -> Void,
            mark emitMark: (OutputMark) -> Void = { _ in }
        ) {
            var (nextBlock, nextMark) = (0, 0)
            func emitOthers(beforeCall index: Int) {
                while true {
                    let hasBlock = nextBlock < reasoningBlocks.count && reasoningBlocks[nextBlock].callsBefore <= index
                    if nextMark < marks.count, marks[nextMark].callsBefore <= index,
                        !hasBlock || marks[nextMark].reasoningBefore <= nextBlock
                    {
                        emitMark(marks[nextMark])
                        nextMark += 1
                    } else if hasBlock {
                        emitReasoning(reasoningBlocks[nextBlock])
                        nextBlock += 1
                    } else {
                        return
                    }
                }
            }
            for (index, call) in toolCalls.enumerated() {
                emitOthers(beforeCall: index)
                emitCall(call)
            }
            emitOthers(beforeCall: .max)
        }

        /// The blocks of reasoning behind the text; empty if there is no text or a tool call follows.
        package var lateBlocks: ArraySlice<ReasoningBlock> {
            guard let textBytes = text?.bytes.count, textBytes > 0, toolCalls.isEmpty else { return [] }
            let early = reasoningBlocks.lastIndex { $0.textBytesBefore < textBytes }
            return reasoningBlocks[(early.map { $0 + 1 } ?? 0)...]
        }

        package var bytes: Int {
            (text?.bytes.count ?? 0) + (reasoning?.bytes.count ?? 0) + (refusal?.bytes.count ?? 0)
                + toolCalls.reduce(0) {
                    $0 + $1.name.utf8.count + $1.arguments.utf8.count + ($1.signature?.utf8.count ?? 0)
                } + reasoningBlocks.reduce(0) { $0 + $1.bytes + 64 } + marks.reduce(0) { $0 + $1.bytes + 64 }
        }
    }

    private struct Fields: Sendable {
        var choices: [Choice]
        var usage: Usage?
        var credits: Int?
        var original: Body?
    }

    private var fields: Indirect<Fields>

    package init(_ choices: [Choice], usage: Usage?, credits: Int? = nil) {
        fields = Indirect(Fields(choices: choices, usage: usage, credits: credits))
    }

    package var choices: [Choice] {
        _read { yield fields.value.choices }
        _modify { yield &fields.value.choices }
    }

    /// The size of all choices, in bytes.
    package var bytes: Int {
        // In place: a loop over the array would copy each choice.
        choices.withUnsafeBufferPointer { choices in
            var bytes = 0
            for index in choices.indices { bytes += choices[index].bytes }
            return bytes
        }
    }

    /// The usage that the vendor reported; nil if it reported none.
    package var usage: Usage? {
        get { fields.value.usage }
        set { fields.value.usage = newValue }
    }

    /// The credits that the vendor charged; nil if it did not report them.
    package var credits: Int? {
        get { fields.value.credits }
        set { fields.value.credits = newValue }
    }

    /// The raw response if the vendor got the client's request unchanged; nil otherwise.
    package var original: Body? {
        get { fields.value.original }
        set { fields.value.original = newValue }
    }
}

extension ChatResponse.Choice {
    // It calls the initializer of all properties: Swift would copy the struct if it set its properties.
    package init(text: Body?, finish: FinishReason = .stop) {
        self.init(
            text: text,
            reasoning: nil,
            reasoningBlocks: [],
            refusal: nil,
            toolCalls: [],
            marks: [],
            finish: finish,
            stop: nil
        )
    }
}

extension ChatResponse {
    package func emit(_ emit: (Int, ChatEvent) -> Void) {
        for (index, choice) in choices.enumerated() { choice.emit { emit(index, $0) } }
    }
}

extension ChatResponse.Choice {
    fileprivate func emit(_ emit: (ChatEvent) -> Void) {
        // Reasoning without blocks comes after the marks at the beginning, and before all other output.
        var waiting = reasoning
        func emitReasoning() { if let reasoning = waiting.take() { emit(.reasoning(reasoning.bytes)) } }
        var index = 0
        forEachPart(splittingAtAnnotations: true) { reasoningBlock in
            if !reasoningBlock.text.isEmpty { reasoningBlock.text.withBytes { emit(.reasoning($0)) } }
            reasoningBlock.signature?.withBytes {
                emit(reasoningBlock.isSealed ? .encryptedReasoning($0) : .signature(call: nil, $0))
            }
        } text: {
            emitReasoning()
            emit(.text($0))
        } call: { call in
            emitReasoning()
            (call.id ?? "").withBytes { id in call.name.withBytes { emit(.toolCall(index: index, id: id, name: $0)) } }
            if !call.arguments.isEmpty { call.arguments.withBytes { emit(.toolArguments(index: index, $0)) } }
            call.signature?.withBytes { emit(.signature(call: index, $0)) }
            index += 1
        } mark: { mark in
            switch mark.kind {
            case .message(let phase): emit(.message(phase))
            case .annotation(let json): emit(.annotation(json.bytes))
            }
        }
        emitReasoning()
        if let refusal { emit(.refusal(refusal.bytes)) }
        emit(.finish(finish, stop: stop?.bytes))
    }
}

/// A position in the output of a choice at which a message begins or an annotation arrived.
package struct OutputMark: Sendable {
    package enum Kind: Sendable {
        case message(ChatMessage.Phase?)
        /// An annotation of the text before the mark: a JSON object of the Responses API.
        case annotation(Body)
    }

    package let kind: Kind
    /// The number of bytes of the choice's text before the mark.
    let textBytesBefore: Int
    /// The number of the choice's tool calls before the mark.
    let callsBefore: Int
    /// The number of the choice's reasoning blocks before the mark.
    let reasoningBefore: Int

    package init(_ kind: Kind, afterTextBytes textBytes: Int, afterCalls calls: Int, afterReasoning blocks: Int) {
        self.kind = kind
        textBytesBefore = textBytes
        callsBefore = calls
        reasoningBefore = blocks
    }

    /// Whether the text after the mark is in another output item than the text before the mark.
    var beginsItem: Bool { if case .annotation = kind { false } else { true } }

    package var bytes: Int { if case .annotation(let json) = kind { json.bytes.count } else { 0 } }
}

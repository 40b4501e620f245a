import Engine
import Shared

/// A reader that remembers the signed and the redacted reasoning before the first tool call of a response, for clients
/// that do not send it back.
final class ThinkingRecorder: WireReaderDecorator, OnLoop, @unchecked Sendable {
    let inner: any WireReader
    private let memory: CallerReasoning
    private let part: CallerReasoning.Part
    /// The content blocks of the reasoning, each with a comma before it.
    private var blocks = ByteBuffer()
    /// The text of the block that has no signature yet.
    private var text = ByteBuffer()
    /// Whether a tool call has begun, or the reasoning is too long to be remembered.
    private var isOver = false

    init(_ inner: any WireReader, _ memory: CallerReasoning, _ part: CallerReasoning.Part) {
        self.inner = inner
        self.memory = memory
        self.part = part
    }

    func pass(_ choice: Int, _ event: ChatEvent, _ emit: Emit) {
        if !isOver { record(event) }
        emit(choice, event)
    }

    private func record(_ event: ChatEvent) {
        switch event {
        case .reasoning(let piece): text.append(piece)
        case .signature(nil, let signature):
            blocks.append(#",{"type":"thinking","thinking":"#, json: text.bytes)
            blocks.append(#","signature":"#, json: signature)
            blocks.append("}")
            text.removeAll()
        case .encryptedReasoning(let data):
            blocks.append(#",{"type":"redacted_thinking","data":"#, json: data)
            blocks.append("}")
        case .toolCall(_, let id, _):
            isOver = true
            guard !blocks.isEmpty, !id.isEmpty else { break }
            var list = ByteBuffer()
            list.append("[", blocks.bytes[part: 1..<blocks.count], "]")
            memory.remember(part, Body(list), ofCall: id.text)
        default: return
        }
        guard isOver || blocks.count + text.count > CallerReasoning.limitBytes else { return }
        isOver = true
        blocks.release()
        text.release()
    }
}

extension ChatCall {
    /// Puts the remembered reasoning into the messages with tool calls that lack it.
    mutating func restoreReasoning(_ memory: CallerReasoning, _ part: CallerReasoning.Part) {
        for index in messages.indices where !messages[index].hasSignedReasoning {
            guard let id = messages[index].toolCalls.first?.id, let blocks = memory.part(part, ofCall: id) else {
                continue
            }
            let pieces = JSONParser.read(blocks.bytes) { ReasoningBlock.all(in: $0) } ?? []
            messages[index].content.insert(contentsOf: pieces.map { .reasoningBlock($0) }, at: 0)
            for call in messages[index].toolCalls.indices where messages[index].toolCalls[call].contentBefore < .max {
                messages[index].toolCalls[call].contentBefore += pieces.count
            }
            let marks = chatOptions.cacheBreakpoints
            if !marks.isEmpty {
                chatOptions.cacheBreakpoints = marks.map { $0.moved(by: pieces.count, inMessage: index) }
            }
        }
    }
}

extension ChatOptions.CacheBreakpoint {
    /// Returns the cache breakpoint after new pieces were put before those of a message.
    fileprivate func moved(by count: Int, inMessage message: Int) -> Self {
        guard case .piece(let index, of: message) = position else { return self }
        return Self(.piece(index + count, of: message), isLong: isLong)
    }
}

extension ReasoningBlock {
    fileprivate static func all(in blocks: JSONValue) -> [ReasoningBlock] {
        (blocks.elements ?? JSONElements()).compactMap { block in
            if let data = block["data"]?.string { return ReasoningBlock("", signature: data, isSealed: true) }
            return ReasoningBlock(block["thinking"]?.string ?? "", signature: block["signature"]?.string)
        }
    }
}

extension ChatMessage {
    /// Whether the message has reasoning with a signature of Anthropic's API.
    var hasSignedReasoning: Bool {
        content.contains { piece in piece.reasoning.map { $0.signature != nil && !$0.isMarked } ?? false }
    }
}

import Engine
import Shared

/// A reader that remembers the signed and the redacted reasoning before the first tool call of a response, for clients
/// that do not send it back.
final class ThinkingRecorder: WireReaderDecorator, OnLoop, @unchecked Sendable {
    let inner: any WireReader
    private let memory: CallerReasoning
    private let part: CallerReasoning.Part
    /// The content blocks of the reasoning, each with a comma before it. Those behind text have the number of its bytes in
    /// a member `after`.
    private var blocks = ByteBuffer()
    /// The text of the block that has no signature yet.
    private var text = ByteBuffer()
    /// The number of bytes of the response's text so far.
    private var textBytes = 0
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
        case .text(let piece, _):
            textBytes += piece.count
            return
        case .signature(nil, let signature):
            blocks.append(#",{"type":"thinking","thinking":"#, json: text.bytes)
            blocks.append(#","signature":"#, json: signature)
            endBlock()
            text.removeAll()
        case .encryptedReasoning(let data):
            blocks.append(#",{"type":"redacted_thinking","data":"#, json: data)
            endBlock()
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

    private func endBlock() {
        if textBytes > 0 { blocks.append("after", textBytes) }
        blocks.append("}")
    }
}

extension ChatCall {
    /// Puts the remembered reasoning into the messages with tool calls that lack it.
    mutating func restoreReasoning(_ memory: CallerReasoning, _ part: CallerReasoning.Part) {
        for index in messages.indices where !messages[index].hasSignedReasoning {
            guard let id = messages[index].toolCalls.first?.id, let blocks = memory.part(part, ofCall: id) else {
                continue
            }
            var (place, bytes) = (0, 0)
            for block in JSONParser.read(blocks.bytes, { ReasoningBlock.all(in: $0) }) ?? [] {
                // The texts before the block may be joined to one. The calls come after it.
                let end = min(messages[index].toolCalls[0].contentBefore, messages[index].content.count)
                while place < end, bytes < block.textBytesBefore {
                    bytes += messages[index].content[place].textBytes
                    place += 1
                }
                insert(block, at: place, ofMessage: index)
                place += 1
            }
        }
    }

    /// Inserts reasoning into a message, and moves the calls and cache breakpoints behind it.
    private mutating func insert(_ block: ReasoningBlock, at place: Int, ofMessage index: Int) {
        messages[index].content.insert(.reasoningBlock(block), at: place)
        for call in messages[index].toolCalls.indices where messages[index].toolCalls[call].contentBefore < .max {
            messages[index].toolCalls[call].contentBefore += 1
        }
        let marks = chatOptions.cacheBreakpoints
        if !marks.isEmpty { chatOptions.cacheBreakpoints = marks.map { $0.moved(from: place, inMessage: index) } }
    }
}

extension ChatMessage.Piece {
    fileprivate var textBytes: Int {
        switch self {
        case .text(let text), .refusal(let text): text.utf8.count
        case .attachment, .reasoningBlock: 0
        }
    }
}

extension ChatOptions.CacheBreakpoint {
    /// Returns the cache breakpoint after a new piece was put into a message at this place.
    fileprivate func moved(from place: Int, inMessage message: Int) -> Self {
        guard case .piece(let index, of: message) = position, index >= place else { return self }
        return Self(.piece(index + 1, of: message), isLong: isLong)
    }
}

extension ReasoningBlock {
    fileprivate static func all(in blocks: JSONValue) -> [ReasoningBlock] {
        (blocks.elements ?? JSONElements()).compactMap { block in
            let data = block["data"]?.string
            return ReasoningBlock(
                block["thinking"]?.string ?? "",
                signature: data ?? block["signature"]?.string,
                isSealed: data != nil,
                afterTextBytes: Int(clamping: block["after"]?.integer ?? 0)
            )
        }
    }
}

extension ChatMessage {
    /// Whether the message has reasoning with a signature of Anthropic's API.
    var hasSignedReasoning: Bool {
        content.contains { piece in piece.reasoning.map { $0.signature != nil && !$0.isMarked } ?? false }
    }
}

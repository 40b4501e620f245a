import Calls
import Engine
import Shared

/// The kinds of parts in the encoded form of a complete response. The parts that follow a `choice` belong to that
/// choice.
private enum EncodedPart: Int {
    case choice, text, reasoning, reasoningBlock, refusal, call, finish
    /// The response in the vendor's own JSON, without its first four members: `id`, `object`, `created` and `model`.
    case original
    case message, annotation
}

extension ChatResponse {
    var encodedBytes: Int { original?.bytes.count ?? choices.reduce(64) { $0 + $1.bytes + 64 } }

    /// Encodes the response for the cache. Returns false if the response must not be cached.
    func write(to encoded: inout CachedResponseEncoder) -> Bool {
        guard !choices.contains(where: \.finish.isOfFilter) else { return false }
        if let original, RawJSON(original.bytes)["type"]?.content == "message" {
            // A known message is written anew from its choice.
            guard KnownMessage.isKnown(part: RawJSON(original.bytes)) else { return false }
        } else if let original {
            guard let end = ResponseNames.end(in: original.bytes) else { return false }
            encoded.add(EncodedPart.original.rawValue)
            encoded.add(original.bytes[part: end..<original.bytes.count])
            return true
        }
        for choice in choices {
            encoded.add(EncodedPart.choice.rawValue)
            choice.write(to: &encoded)
        }
        return true
    }

    /// Decodes a cached response; returns nil if the data is damaged.
    ///
    /// - Parameter names: the members `id`, `object`, `created` and `model`, which begin a response in the vendor's own
    ///   JSON.
    init?(encoded: UnsafeRawBufferPointer, _ names: borrowing ByteBuffer) {
        self.init([], usage: nil)
        var reader = CachedResponseDecoder(encoded)
        while !reader.isAtEnd {
            switch reader.number().flatMap(EncodedPart.init) {
            case .choice: choices.append(Choice(text: nil))
            case .original:
                guard let rest = reader.text() else { return nil }
                var whole = ByteBuffer()
                _ = whole.reserve(names.count + rest.count)
                whole.append(names.bytes)
                whole.append(rest)
                original = Body(whole)
            case let part?:
                guard !choices.isEmpty, choices[choices.count - 1].read(part, from: &reader) else { return nil }
            case nil: return nil
            }
        }
    }
}

extension ChatResponse.Choice {
    fileprivate func write(to encoded: inout CachedResponseEncoder) {
        for (part, text) in [(EncodedPart.text, text), (.reasoning, reasoning), (.refusal, refusal)] {
            guard let text else { continue }
            encoded.add(part.rawValue)
            encoded.add(text.bytes)
        }
        // The number of tool calls before a reasoning block is not stored, because these calls precede it.
        forEachReasoningAndCall { reasoningBlock in
            encoded.add(EncodedPart.reasoningBlock.rawValue)
            encoded.add(reasoningBlock.isSealed ? 1 : 0)
            encoded.add(reasoningBlock.textBytesBefore)
            encoded.add(reasoningBlock.text)
            encoded.add(ifAny: reasoningBlock.signature)
        } call: { call in
            encoded.add(EncodedPart.call.rawValue)
            encoded.add(ifAny: call.id)
            encoded.add(call.name)
            encoded.add(call.arguments)
            encoded.add(ifAny: call.signature)
            encoded.add(call.position)
        } mark: { mark in
            switch mark.kind {
            case .message(let phase):
                encoded.add(EncodedPart.message.rawValue)
                encoded.add(phase.encodedNumber)
            case .annotation(let json):
                encoded.add(EncodedPart.annotation.rawValue)
                encoded.add(json.bytes)
            }
            encoded.add(mark.textBytesBefore)
        }
        encoded.add(EncodedPart.finish.rawValue)
        encoded.add(finish.encodedNumber)
        encoded.add(stop == nil ? 0 : 1)
        if let stop { encoded.add(stop.bytes) }
    }

    /// Decodes one part and adds it to the choice. Returns false if the data is damaged.
    fileprivate mutating func read(_ part: EncodedPart, from reader: inout CachedResponseDecoder) -> Bool {
        switch part {
        case .text, .reasoning, .refusal:
            guard let bytes = reader.text() else { return false }
            let body = Body(copying: bytes)
            if part == .text { text = body } else if part == .reasoning { reasoning = body } else { refusal = body }
        case .reasoningBlock:
            guard let isSealed = reader.number(), let position = reader.number(), position >= 0,
                let text = reader.string(), let signature = reader.stringIfAny()
            else { return false }
            let reasoningBlock = ReasoningBlock(
                text,
                signature: signature,
                isSealed: isSealed == 1,
                afterTextBytes: position,
                afterCalls: toolCalls.count
            )
            if let reasoningBlock { reasoningBlocks.append(reasoningBlock) }
        case .call:
            guard let id = reader.stringIfAny(), let name = reader.string(), let arguments = reader.string(),
                let signature = reader.stringIfAny(), let position = reader.number(), position >= 0
            else { return false }
            var call = ToolCall(id: id, name: name, arguments: arguments)
            (call.signature, call.position) = (signature, position)
            toolCalls.append(call)
        case .finish:
            guard let reason = reader.number().flatMap(FinishReason.init(encodedNumber:)), let hasStop = reader.number()
            else { return false }
            finish = reason
            if hasStop == 1 {
                guard let bytes = reader.text() else { return false }
                stop = Body(copying: bytes)
            }
        case .message:
            guard let phase = reader.number() else { return false }
            return read(.message(ChatMessage.Phase?(encodedNumber: phase)), from: &reader)
        case .annotation:
            guard let json = reader.text() else { return false }
            return read(.annotation(Body(copying: json)), from: &reader)
        case .choice, .original: return false
        }
        return true
    }

    /// Decodes the position of a mark and adds the mark. Returns false if the data is damaged.
    private mutating func read(_ mark: OutputMark.Kind, from reader: inout CachedResponseDecoder) -> Bool {
        guard let position = reader.number(), position >= 0 else { return false }
        let (calls, blocks) = (toolCalls.count, reasoningBlocks.count)
        marks.append(OutputMark(mark, afterTextBytes: position, afterCalls: calls, afterReasoning: blocks))
        return true
    }
}

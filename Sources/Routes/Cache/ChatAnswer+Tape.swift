import Calls
import Engine
import Shared

/// The parts of a complete response in the cache. Each belongs to the last choice before it.
private enum Part: Int {
    case choice, text, reasoning, thought, refusal, call, finish
    /// The vendor's own response, without the members of `AnswerNames`.
    case original
}

extension ChatAnswer {
    var tapeBytes: Int { original?.bytes.count ?? choices.reduce(64) { $0 + $1.bytes + 64 } }

    /// Encodes the response. Returns false if it must not be cached.
    func write(to tape: inout AnswerTape) -> Bool {
        guard !choices.contains(where: \.finish.isOfFilter) else { return false }
        if let original {
            guard let end = AnswerNames.end(in: original.bytes) else { return false }
            tape.add(Part.original.rawValue)
            tape.add(original.bytes[part: end..<original.bytes.count])
            return true
        }
        for choice in choices {
            tape.add(Part.choice.rawValue)
            choice.write(to: &tape)
        }
        return true
    }

    /// Decodes a cached response; nil if the data is damaged.
    ///
    /// - Parameter names: the first members of a vendor's own response (see `AnswerNames`).
    init?(tape: UnsafeRawBufferPointer, _ names: borrowing ByteBuffer) {
        self.init([], usage: nil)
        var reader = TapeReader(tape)
        while !reader.isAtEnd {
            switch reader.number().flatMap(Part.init) {
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

extension ChatAnswer.Choice {
    fileprivate func write(to tape: inout AnswerTape) {
        for (part, text) in [(Part.text, text), (.reasoning, reasoning), (.refusal, refusal)] {
            guard let text else { continue }
            tape.add(part.rawValue)
            tape.add(text.bytes)
        }
        // The number of tool calls before a reasoning block is not stored, because these calls precede it.
        forEachThoughtAndCall { thought in
            tape.add(Part.thought.rawValue)
            tape.add(thought.isSealed ? 1 : 0)
            tape.add(thought.textBytesBefore)
            tape.add(thought.text)
            tape.add(ifAny: thought.signature)
        } call: { call in
            tape.add(Part.call.rawValue)
            tape.add(ifAny: call.id)
            tape.add(call.name)
            tape.add(call.arguments)
            tape.add(ifAny: call.signature)
            tape.add(call.place)
        }
        tape.add(Part.finish.rawValue)
        tape.add(finish.tapeNumber)
        tape.add(stop == nil ? 0 : 1)
        if let stop { tape.add(stop.bytes) }
    }

    /// Decodes a part of a choice. Returns false if the data is damaged.
    fileprivate mutating func read(_ part: Part, from reader: inout TapeReader) -> Bool {
        switch part {
        case .text, .reasoning, .refusal:
            guard let bytes = reader.text() else { return false }
            let body = Body(copying: bytes)
            if part == .text { text = body } else if part == .reasoning { reasoning = body } else { refusal = body }
        case .thought:
            guard let isSealed = reader.number(), let place = reader.number(), place >= 0,
                let text = reader.string(), let signature = reader.stringIfAny()
            else { return false }
            let thought = Thought(
                text,
                signature: signature,
                isSealed: isSealed == 1,
                afterTextBytes: place,
                afterCalls: toolCalls.count
            )
            if let thought { thoughts.append(thought) }
        case .call:
            guard let id = reader.stringIfAny(), let name = reader.string(), let arguments = reader.string(),
                let signature = reader.stringIfAny(), let place = reader.number(), place >= 0
            else { return false }
            var call = ToolCall(id: id, name: name, arguments: arguments)
            (call.signature, call.place) = (signature, place)
            toolCalls.append(call)
        case .finish:
            guard let reason = reader.number().flatMap(FinishReason.init(tapeNumber:)), let hasStop = reader.number()
            else { return false }
            finish = reason
            if hasStop == 1 {
                guard let bytes = reader.text() else { return false }
                stop = Body(copying: bytes)
            }
        case .choice, .original: return false
        }
        return true
    }
}

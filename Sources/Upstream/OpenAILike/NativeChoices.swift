import Engine

/// A writer for a vendor's choices, in which it corrects what differs from OpenAI's format. It keeps unknown members.
struct NativeChoices {
    private let pieces: [ChoiceChunk]
    /// The name of the member that contains the output: `delta` or `message`.
    private let message: StaticString
    private let isWhole: Bool

    init(_ pieces: [ChoiceChunk], message: StaticString, isWhole: Bool) {
        self.pieces = pieces
        self.message = message
        self.isWhole = isWhole
    }

    /// Returns whether some choice of a whole response contains no text, no tool call and no refusal.
    static func isBare(_ pieces: [ChoiceChunk], _ choices: RawJSON) -> Bool {
        let mayBeBare = pieces.contains {
            $0.text == nil && $0.calls.isEmpty && $0.function == nil && $0.refusal == nil
        }
        return mayBeBare
            && zip(pieces, choices.elements).contains { piece, choice in
                piece.text == nil && piece.calls.isEmpty && piece.function == nil && piece.refusal == nil
                    && (choice["message"]?["content"]?.isNull ?? true)
            }
    }

    func append(_ choices: RawJSON, to out: inout ByteBuffer) {
        out.append(array: zip(pieces, choices.elements).filter { !$0.0.isDropped }) { append($0.0, $0.1, to: &$1) }
    }

    private func append(_ piece: ChoiceChunk, _ choice: RawJSON, to out: inout ByteBuffer) {
        out.append(#"{"index":"#, decimal: piece.index)
        out.append(isWhole ? #","message":{"# : #","delta":{"#)
        append(piece, message: choice[message], to: &out)
        out.append("}")
        for member in choice.members {
            if member.name.equals("index") || member.name.equals(message) || member.name.equals("finish_reason") {
                continue
            }
            out.append(next: member)
        }
        if let finish = piece.finish {
            out.append(#","finish_reason":""#)
            out.append(finish.name(isOld: piece.function != nil))
            out.append("\"}")
        } else {
            out.append(isWhole ? #","finish_reason":"stop"}"# : #","finish_reason":null}"#)
        }
    }

    // MARK: The message

    private func append(_ piece: ChoiceChunk, message: RawJSON?, to whole: inout ByteBuffer) {
        var out = ByteBuffer()
        if piece.role == .added || isWhole { out.append(#","role":"assistant""#) }
        if piece.hasOtherParts, let content = message?["content"] {
            out.append(#","content":"#)
            out.append(content.bytes)
        } else if let text = piece.text {
            out.append(#","content":"#, json: text)
        } else if isWhole {
            let isBare = piece.calls.isEmpty && piece.function == nil && piece.refusal == nil
            out.append(isBare ? #","content":"""# : #","content":null"#)
        }
        if piece.hasImageParts {
            out.append(#","images":"#)
            out.append(array: piece.images) {
                $1.append(#"{"type":"image_url","image_url":{"url":"#, json: $0, "}}")
            }
        }
        if let reasoningBlock = piece.reasoning { out.append(#","reasoning_content":"#, json: reasoningBlock) }
        var calls = RawJSON(UnsafeRawBufferPointer(start: nil, count: 0))
        for member in message?.members ?? calls.members {
            switch member.name {
            case "role" where isWhole || piece.role != .reported: continue
            case "content" where isWhole || piece.text != nil || piece.hasOtherParts || !member.value.mayBeText:
                continue
            case "images" where piece.hasImageParts: continue
            case "reasoning_content" where piece.reasoning != nil || !member.value.mayBeText: continue
            case "refusal" where !member.value.mayBeText: if isWhole { out.append(#","refusal":null"#) }
            case "function_call" where !member.value.isObject && !member.value.isNull: continue
            case "tool_calls": calls = member.value
            default: out.append(next: member)
            }
        }
        append(isWhole ? Self.merged(piece.calls) : piece.calls, calls, to: &out)
        // The first member has no comma before it.
        if !out.isEmpty { whole.append(out.bytes[part: 1..<out.count]) }
    }

    /// Joins the chunks of each tool call. Returns one chunk for each call, with all arguments.
    static func merged(_ pieces: [ToolCallChunk]) -> [ToolCallChunk] {
        var calls: [ToolCallChunk] = []
        for piece in pieces {
            if let index = calls.firstIndex(where: { $0.index == piece.index }) {
                calls[index].arguments += piece.arguments
            } else {
                calls.append(piece)
            }
        }
        return calls
    }

    private func append(_ pieces: [ToolCallChunk], _ calls: RawJSON, to out: inout ByteBuffer) {
        guard !pieces.isEmpty else { return }
        let originals = Array(calls.elements)
        out.append(#","tool_calls":["#)
        for (number, piece) in pieces.enumerated() {
            if number > 0 { out.append(",") }
            out.append(isWhole ? "{" : #"{"index":"#)
            if !isWhole { out.append(decimal: piece.index) }
            if piece.isFirst {
                out.append(isWhole ? #""id":"# : #","id":"#, json: piece.id, #","type":"function""#)
            }
            if !piece.isOfOtherType { append(function: piece, to: &out) }
            // Other members of the call are kept, such as thought signatures.
            if let elementIndex = piece.elementIndex, originals.indices.contains(elementIndex) {
                for member in originals[elementIndex].members {
                    switch member.name {
                    case "index": continue
                    case "id", "type", "function", "custom": if piece.isOfOtherType { out.append(next: member) }
                    default: out.append(next: member)
                    }
                }
            }
            out.append("}")
        }
        out.append("]")
    }

    private func append(function piece: ToolCallChunk, to out: inout ByteBuffer) {
        out.append(#","function":{"#)
        if piece.isFirst {
            out.append(#""name":"#, json: piece.name, ",")
        }
        out.append(#""arguments":"#, json: piece.arguments, "}")
    }
}

extension RawJSON {
    fileprivate var mayBeText: Bool { isNull || content != nil }
}

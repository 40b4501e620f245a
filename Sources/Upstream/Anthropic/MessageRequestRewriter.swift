import Engine

/// Applies quirks (changes that a server needs) to the JSON body of a Messages request.
enum MessageRequestRewriter {
    static func written(_ body: Body, with quirks: Set<Quirk>) -> Body {
        var body = body
        if quirks.contains(.noForeignReasoning) {
            let isForeign = RawJSON(body.bytes).foreignReasoning
            body = body.replacing("messages") { append($0, without: isForeign, to: &$1) }
        }
        if quirks.contains(.noSystemTurns) { body = body.replacing("messages", append(withoutSystemTurns:to:)) }
        guard quirks.contains(.noPrefill), RawJSON(body.bytes).endsWithPrefill else { return body }
        return body.replacing("messages") { messages, out in
            out.append(messages.bytes)
            out.removeLast(1)
            out.append(#",{"role":"user","content":[{"type":"text","text":"Continue."}]}]"#)
        }
    }

    /// Returns the request body that asks the vendor for the rest of a paused response.
    /// - Parameter content: the content blocks before the pause, as a JSON array.
    static func written(_ body: Body, goingOnAfter content: Body) -> Body {
        body.replacing("messages") { messages, out in
            var turns = Array(messages.elements)
            var blocks: [RawJSON] = []
            if turns.last?["role"]?.content == "assistant" { blocks += turns.removeLast().list("content") }
            blocks += RawJSON(content.bytes).elements.filter { $0.said?.isEmpty != true }
            out.append("[")
            for turn in turns { out.append("", turn.bytes, ",") }
            out.append(#"{"role":"assistant","content":"#)
            out.append(array: blocks.indices) { index, out in
                guard index == blocks.count - 1, let said = blocks[index].said else {
                    return out.append(blocks[index].bytes)
                }
                out.append(#"{"type":"text","text":"#, json: said, "}")
            }
            out.append("}]")
        }
    }

    /// Appends `messages` without some blocks of their content.
    private static func append(_ messages: RawJSON, without isLeftOut: (RawJSON) -> Bool, to out: inout ByteBuffer) {
        messages.append(to: &out) { (message: RawJSON, out: inout ByteBuffer) in
            message.append(to: &out) { member, out in
                guard member.name.equals("content"), member.value.isArray else { return false }
                let all = Array(member.value.elements)
                let blocks = all.filter { !isLeftOut($0) }
                if blocks.count == all.count { return false }
                out.append(#""content":"#)
                if blocks.isEmpty {
                    out.append(#"[{"type":"text","text":"."}]"#)
                } else {
                    out.append(array: blocks) { $1.append($0.bytes) }
                }
                return true
            }
        }
    }

    // MARK: A model that refuses the role `system`

    /// Appends `messages` with each system turn as a reminder in a turn of the user. Adjacent turns of the user become
    /// one turn.
    private static func append(withoutSystemTurns messages: RawJSON, to out: inout ByteBuffer) {
        var groups: [[RawJSON]] = []
        for message in messages.elements {
            let isJoined = message.isOfUser && groups.last?.last?.isOfUser ?? false
            if isJoined { groups[groups.count - 1].append(message) } else { groups.append([message]) }
        }
        out.append(array: groups) { turns, out in
            if turns.count == 1, !turns[0].isSystemTurn {
                out.append(turns[0].bytes)
            } else {
                appendJoined(turns, to: &out)
            }
        }
    }

    /// Appends several turns as one turn of the user, which begins with the results of tool calls.
    private static func appendJoined(_ turns: [RawJSON], to out: inout ByteBuffer) {
        var results = ByteBuffer()
        var others = ByteBuffer()
        for turn in turns {
            // The content of an empty system turn is `""` or `[]`.
            guard let content = turn["content"], !turn.isSystemTurn || content.bytes.count > 2 else { continue }
            var reminder = ByteBuffer()
            if turn.isSystemTurn { reminder.append(reminderOf: content) }
            let written = turn.isSystemTurn ? RawJSON(reminder.bytes) : content
            if written.content != nil { others.append(#",{"type":"text","text":"#, written.bytes, "}") }
            for block in written.elements {
                let isResult = block["type"]?.content == "tool_result"
                if isResult { results.append(",", block.bytes, "") } else { others.append(",", block.bytes, "") }
            }
        }
        results.append(others.bytes)
        if results.isEmpty { results.append(#",{"type":"text","text":"."}"#) }
        out.append(#"{"role":"user","content":["#)
        out.append(results.bytes[part: 1..<results.count])
        out.append("]}")
    }
}

extension RawJSON {
    /// Whether the message of a Messages request has the role `system`.
    var isSystemTurn: Bool { self["role"]?.content == "system" }

    /// Whether the message goes on as a turn of the user.
    fileprivate var isOfUser: Bool { isSystemTurn || self["role"]?.content == "user" }

    /// Returns whether a content block is reasoning that the vendor of this request does not know: with the relay's own
    /// signature or, for Claude, with that of another vendor.
    fileprivate var foreignReasoning: (RawJSON) -> Bool {
        // A server of other models may be a relay that has made the signature.
        let isClaude = self["model"]?.content.map { !ClaudeModel.isForeign($0.text) } ?? true
        func isForeign(_ signature: UnsafeRawBufferPointer) -> Bool {
            isClaude ? ReasoningBlock.isForeign(signature) : signature.equals(ReasoningBlock.ownSignature)
        }
        return { block in
            if (block["signature"] ?? block["data"])?.content.map(isForeign) ?? false { return true }
            guard block.mayEscapeLetters else { return false }
            let read = JSONParser.read(block.bytes) { ($0["signature"] ?? $0["data"])?.text.map(isForeign) ?? false }
            return read ?? false
        }
    }

    /// Whether a string of the value may contain an ASCII letter or a full stop as an escape.
    fileprivate var mayEscapeLetters: Bool {
        var scan = ByteScan(bytes)
        return scan.find("\\u00")
    }

    /// Whether the messages of the request contain reasoning that its vendor does not know.
    var containsForeignReasoning: Bool {
        let isForeign = foreignReasoning
        return list("messages").contains { $0.list("content").contains(where: isForeign) }
    }

    /// Whether the last message of the request is the assistant's.
    var endsWithAssistant: Bool { list("messages").last?["role"]?.content == "assistant" }

    /// Whether the last message of the request is a text of the assistant's, not a call of a hosted tool that goes on.
    fileprivate var endsWithPrefill: Bool {
        guard endsWithAssistant, let last = list("messages").last else { return false }
        return last["content"]?.content != nil || last.list("content").last?["type"]?.content == "text"
    }

    /// The text of a text block without white space at the end; nil for other blocks.
    fileprivate var said: [UInt8]? {
        guard self["type"]?.content == "text" else { return nil }
        return JSONParser.read(bytes) { block -> [UInt8]? in
            guard let text = block["text"]?.text else { return nil }
            var end = text.count
            while end > 0, text[end - 1] == 32 || (9...13).contains(text[end - 1]) { end -= 1 }
            return Array(text[part: 0..<end])
        } ?? nil
    }
}

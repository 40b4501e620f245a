import Engine

/// Rewrites the turns of a Messages request for a model that refuses the role `system`.
enum SystemTurnRewriter {
    /// Appends `messages` with each system turn as a reminder in a turn of the user. Adjacent turns of the user become
    /// one turn.
    static func append(_ messages: RawJSON, to out: inout ByteBuffer) {
        out.append("[")
        var isFirst = true
        var turns: [RawJSON] = []
        func open() {
            if !isFirst { out.append(",") }
            isFirst = false
        }
        func appendWaiting() {
            guard let only = turns.first else { return }
            open()
            if turns.count == 1, !only.isSystemTurn { out.append(only.bytes) } else { appendJoined(turns, to: &out) }
            turns = []
        }
        for message in messages.elements {
            if message.isSystemTurn || message["role"]?.content == "user" {
                turns.append(message)
            } else {
                appendWaiting()
                open()
                out.append(message.bytes)
            }
        }
        appendWaiting()
        out.append("]")
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
                if block["type"]?.content == "tool_result" {
                    results.append(",")
                    results.append(block.bytes)
                } else {
                    others.append(",")
                    others.append(block.bytes)
                }
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
}

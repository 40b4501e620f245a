import Engine

/// Applies quirks (changes that a server needs) to the JSON body of a Messages request.
enum MessageRequestRewriter {
    static func written(_ body: Body, with quirks: Set<Quirk>) -> Body {
        var body = body
        if quirks.contains(.noSystemTurns) { body = body.replacing("messages", SystemTurnRewriter.append) }
        guard quirks.contains(.noPrefill), RawJSON(body.bytes).endsWithAssistant else { return body }
        return body.replacing("messages") { messages, out in
            out.append(messages.bytes)
            out.removeLast(1)
            out.append(#",{"role":"user","content":[{"type":"text","text":"Continue."}]}]"#)
        }
    }

    /// Returns the request body that asks the vendor for the rest of a paused response.
    ///
    /// - Parameter content: the content blocks before the pause, as a JSON array.
    static func written(_ body: Body, goingOnAfter content: Body) -> Body {
        body.replacing("messages") { messages, out in
            append(messages, goingOnAfter: RawJSON(content.bytes), to: &out)
        }
    }

    private static func append(_ messages: RawJSON, goingOnAfter content: RawJSON, to out: inout ByteBuffer) {
        var turns = Array(messages.elements)
        var begun: RawJSON?
        if turns.last?["role"]?.content == "assistant" { begun = turns.removeLast()["content"] }
        out.append("[")
        for turn in turns {
            out.append(turn.bytes)
            out.append(",")
        }
        out.append(#"{"role":"assistant","content":["#)
        var blocks = begun.map { Array($0.elements) } ?? []
        blocks += content.elements.filter { $0.said?.isEmpty != true }
        for (index, block) in blocks.enumerated() {
            if index > 0 { out.append(",") }
            if index == blocks.count - 1, let said = block.said {
                out.append(#"{"type":"text","text":"#, json: said)
                out.append("}")
            } else {
                out.append(block.bytes)
            }
        }
        out.append("]}]")
    }
}

extension RawJSON {
    /// Whether the last message of the request is the assistant's.
    var endsWithAssistant: Bool {
        let messages = (self["messages"]?.elements).map { Array($0) } ?? []
        return messages.last?["role"]?.content == "assistant"
    }

    /// The text of a text block without white space at the end; nil for other blocks.
    fileprivate var said: [UInt8]? {
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        guard self["type"]?.content == "text", let text = (try? parser.parse(bytes))?["text"]?.text else { return nil }
        var end = text.count
        while end > 0, text[end - 1] == 32 || (9...13).contains(text[end - 1]) { end -= 1 }
        return Array(text[part: 0..<end])
    }
}

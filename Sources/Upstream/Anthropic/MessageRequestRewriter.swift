import Calls
import Engine

/// The quirks of servers with Anthropic's API.
extension LearnedQuirks {
    /// The quirk of a model that refuses an assistant turn at the end of a conversation. A user turn is then added.
    static let noPrefill = LearnedQuirks(rawValue: 128)
    /// The quirk of a server that refuses the reasoning of earlier assistant turns. The reasoning is then left out.
    static let noEarlierReasoning = LearnedQuirks(rawValue: 256)
    /// The quirk of a model that refuses turns of the role `system`. They are sent as turns of the user.
    static let noSystemTurns = LearnedQuirks(rawValue: 8_192)
}

/// Applies quirks (changes that a server needs) to the JSON body of a Messages request.
enum MessageRequestRewriter {
    static func written(_ body: Body, with quirks: LearnedQuirks) -> Body {
        var body = body
        if quirks.contains(.noSystemTurns) { body = body.replacing("messages", SystemTurnRewriter.append) }
        if quirks.contains(.noEarlierReasoning) {
            body = body.replacing("messages") { messages, out in
                messages.append(to: &out) { (message: RawJSON, out: inout ByteBuffer) in
                    guard message["role"]?.content == "assistant" else { return out.append(message.bytes) }
                    message.append(to: &out, replacing: "content", appendWithoutReasoning)
                }
            }
        }
        guard quirks.contains(.noPrefill), RawJSON(body.bytes).endsWithAssistant else { return body }
        return body.replacing("messages") { messages, out in
            out.append(messages.bytes)
            out.removeLast(1)
            out.append(#",{"role":"user","content":[{"type":"text","text":"Continue."}]}]"#)
        }
    }

    private static func appendWithoutReasoning(_ content: RawJSON, to out: inout ByteBuffer) {
        guard content.isArray else { return out.append(content.bytes) }
        let kept = content.elements.filter { block in
            let type = block["type"]?.content
            return type != "thinking" && type != "redacted_thinking"
        }
        if kept.isEmpty { return out.append(#"[{"type":"text","text":"."}]"#) }
        out.append(array: kept) { $1.append($0.bytes) }
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

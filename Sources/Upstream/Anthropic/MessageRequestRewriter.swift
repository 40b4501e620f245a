import Calls
import Engine

/// Applies quirks (changes that a server needs) to the JSON body of a Messages request.
struct MessageRequestRewriter {
    private let quirks: LearnedQuirks

    static func written(_ body: Body, with quirks: LearnedQuirks) -> Body {
        if quirks.isDisjoint(with: [.noPrefill, .noEarlierReasoning, .noSystemTurns]) { return body }
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count + 256)
        MessageRequestRewriter(quirks: quirks).append(RawJSON(body.bytes), to: &out)
        return Body(out)
    }

    /// Returns the request body that asks the vendor for the rest of a paused response.
    ///
    /// - Parameter content: the content blocks before the pause, as a JSON array.
    static func written(_ body: Body, goingOnAfter content: Body) -> Body {
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count + content.bytes.count + 64)
        RawJSON(body.bytes).append(to: &out) { (member, out) -> Bool in
            guard member.name.equals("messages") else { return false }
            append(member.value, goingOnAfter: RawJSON(content.bytes), to: &out)
            return true
        }
        return Body(out)
    }

    private static func append(_ messages: RawJSON, goingOnAfter content: RawJSON, to out: inout ByteBuffer) {
        var turns = Array(messages.elements)
        var begun: RawJSON?
        if turns.last?["role"]?.content == "assistant" { begun = turns.removeLast()["content"] }
        out.append(#""messages":["#)
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

    private func append(_ root: RawJSON, to out: inout ByteBuffer) {
        root.append(to: &out) { member, out in
            out.append("\"", member.name, "\":")
            append(member, to: &out)
            return true
        }
    }

    private func append(_ member: RawJSON.Member, to out: inout ByteBuffer) {
        switch member.name {
        case "messages" where quirks.contains(.noSystemTurns):
            var turns = ByteBuffer()
            SystemTurnRewriter.append(member.value, to: &turns)
            appendMessages(RawJSON(turns.bytes), to: &out)
        case "messages" where quirks.contains(.noPrefill) || quirks.contains(.noEarlierReasoning):
            appendMessages(member.value, to: &out)
        default: out.append(member.value.bytes)
        }
    }

    private func appendMessages(_ messages: RawJSON, to out: inout ByteBuffer) {
        var isAssistant = false
        out.append("[")
        for (index, message) in messages.elements.enumerated() {
            if index > 0 { out.append(",") }
            isAssistant = message["role"]?.content == "assistant"
            if isAssistant, quirks.contains(.noEarlierReasoning) {
                message.append(to: &out) { member, out in
                    guard member.name.equals("content") else { return false }
                    out.append(#""content":"#)
                    appendWithoutReasoning(member.value, to: &out)
                    return true
                }
            } else {
                out.append(message.bytes)
            }
        }
        if isAssistant, quirks.contains(.noPrefill) {
            out.append(#",{"role":"user","content":[{"type":"text","text":"Continue."}]}"#)
        }
        out.append("]")
    }

    private func appendWithoutReasoning(_ blocks: RawJSON, to out: inout ByteBuffer) {
        out.append("[")
        var isFirst = true
        for block in blocks.elements {
            let type = block["type"]?.content
            if type == "thinking" || type == "redacted_thinking" { continue }
            if !isFirst { out.append(",") }
            isFirst = false
            out.append(block.bytes)
        }
        if isFirst { out.append(#"{"type":"text","text":"."}"#) }
        out.append("]")
    }
}

extension RawJSON {
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

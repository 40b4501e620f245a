import Engine

/// A rewriter that sends parallel tool calls one by one: each in a message of its own, with its result behind it.
enum ToolCallSplitter {
    static func written(_ body: Body) -> Body {
        body.replacing("messages") { messages, out in
            var parts: [(message: RawJSON, call: RawJSON?, content: RawJSON?, isFirst: Bool)] = []
            var rest = Array(messages.elements)[...]
            while let message = rest.popFirst() {
                let (calls, content) = (message.list("tool_calls"), message["content"])
                if calls.count < 2 { parts.append((message, nil, nil, true)) }
                let results = calls.count < 2 ? [] : rest.prefix { $0["role"]?.content == "tool" }
                rest = rest.dropFirst(results.count)
                var open = Dictionary(grouping: results) { id($0["tool_call_id"]) }
                for (index, call) in calls.enumerated() where calls.count > 1 {
                    parts.append((message, call, content, index == 0))
                    parts += (open.removeValue(forKey: id(call["id"])) ?? []).map { ($0, nil, nil, true) }
                }
                parts += results.filter { open[id($0["tool_call_id"])] != nil }.map { ($0, nil, nil, true) }
            }
            out.append(array: parts) { part, out in
                guard let call = part.call else { return out.append(part.message.bytes) }
                if !part.isFirst { return append(call, beside: part.content, to: &out) }
                part.message.append(to: &out) { member, out in
                    guard member.name.equals("tool_calls") else { return false }
                    out.append(#""tool_calls":["#, call.bytes, "]")
                    return true
                }
            }
        }
    }

    /// Appends a message of a further call. The other members of the client's message stand beside the first call alone:
    /// the body must not grow with the number of calls.
    private static func append(_ call: RawJSON, beside content: RawJSON?, to out: inout ByteBuffer) {
        out.append(#"{"role":"assistant","#)
        if let content { out.append(content.isNull ? #""content":null,"# : #""content":"","#) }
        out.append(#""tool_calls":["#, call.bytes, "]}")
    }

    private static func id(_ value: RawJSON?) -> [UInt8] { value.map { Array($0.bytes) } ?? [] }
}

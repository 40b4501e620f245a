import Engine

/// A rewriter that sends parallel tool calls one by one: each in a message of its own, with its result behind it.
enum ToolCallSplitter {
    static func written(_ body: Body) -> Body {
        body.replacing("messages") { messages, out in
            var parts: [(message: RawJSON, call: RawJSON?, isFirst: Bool)] = []
            var rest = Array(messages.elements)[...]
            while let message = rest.popFirst() {
                let calls = message.list("tool_calls")
                if calls.count < 2 { parts.append((message, nil, true)) }
                let results = calls.count < 2 ? [] : rest.prefix { $0["role"]?.content == "tool" }
                rest = rest.dropFirst(results.count)
                var open = Dictionary(grouping: results) { id($0["tool_call_id"]) }
                for (index, call) in calls.enumerated() where calls.count > 1 {
                    parts.append((message, call, index == 0))
                    parts += (open.removeValue(forKey: id(call["id"])) ?? []).map { ($0, nil, true) }
                }
                parts += results.filter { open[id($0["tool_call_id"])] != nil }.map { ($0, nil, true) }
            }
            out.append(array: parts) { part, out in
                part.message.append(to: &out) { member, out in
                    guard let call = part.call else { return false }
                    switch member.name {
                    case "tool_calls": out.append(#""tool_calls":["#, call.bytes, "]")
                    case "content" where !part.isFirst && !member.value.isNull: out.append(#""content":"""#)
                    default: return false
                    }
                    return true
                }
            }
        }
    }

    private static func id(_ value: RawJSON?) -> [UInt8] { value.map { Array($0.bytes) } ?? [] }
}

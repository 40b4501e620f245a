import Engine

/// A rewriter that shortens long names of tools in the JSON body of a request to OpenAI's APIs: of tools, of
/// `tool_choice`, and of earlier tool calls.
enum ToolNameShortener {
    static func written(_ body: Body) -> Body {
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count)
        RawJSON(body.bytes).append(to: &out) { member, out in
            switch member.name {
            case "tools", "tool_choice", "messages", "input", "functions", "function_call": break
            default: return false
            }
            append(member, to: &out)
            return true
        }
        return Body(out)
    }

    /// Returns whether a name of one of the tools is too long.
    static func finds(in request: RawJSON) -> Bool {
        request.list("tools").contains { isLong(($0["function"] ?? $0["custom"] ?? $0)["name"]) }
    }

    private static func isLong(_ name: RawJSON?) -> Bool { (name?.content?.count ?? 0) > ShortToolNames.limitBytes }

    private static func append(_ member: RawJSON.Member, to out: inout ByteBuffer) {
        out.append("\"", member.name, "\":")
        append(member.value, to: &out)
    }

    /// Appends a value with the names in the members that can contain tools or tool calls.
    private static func append(_ value: RawJSON, to out: inout ByteBuffer) {
        if value.isArray { return value.append(to: &out) { append($0, to: &$1) } }
        guard value.isObject else { return out.append(value.bytes) }
        value.append(to: &out) { member, out in
            switch member.name {
            case "name":
                guard let name = member.value.content, isLong(member.value) else { return false }
                out.append(#""name":"#)
                ShortName.bytes(of: Array(name), limitBytes: ShortToolNames.limitBytes).withUnsafeBytes {
                    out.append(json: $0)
                }
            case "function", "custom", "tool_calls", "function_call", "tools", "allowed_tools": append(member, to: &out)
            default: return false
            }
            return true
        }
    }
}

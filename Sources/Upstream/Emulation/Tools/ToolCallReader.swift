import Engine
import Shared

/// A reader for the JSON of tool calls that a model wrote as text.
struct ToolCallReader {
    private let tools: [ToolDefinition]
    private let ids: RandomBytes
    private let parser = JSONParser()

    init(_ tools: [ToolDefinition], _ ids: RandomBytes) {
        self.tools = tools
        self.ids = ids
    }

    struct Problem: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    func isTool(_ name: UnsafeRawBufferPointer) -> Bool { tool(name) != nil }

    /// Returns the tool calls in a JSON text, which is one call or an array of calls.
    /// - Parameters:
    ///   - json: the JSON text, which must be in a `ByteBuffer`.
    ///   - hasControls: whether strings contain control characters, which must be escaped.
    func calls(_ json: UnsafeRawBufferPointer, hasControls: Bool) throws(Problem) -> [ParsedToolCall] {
        var fixed = ByteBuffer()
        if hasControls { ValueScan.append(json, to: &fixed) }
        return try calls(hasControls ? fixed.bytes : json)
    }

    private func calls(_ json: UnsafeRawBufferPointer) throws(Problem) -> [ParsedToolCall] {
        guard let root = try? parser.parse(json) else { throw Problem("it is not valid JSON") }
        let whole = RawJSON(json)
        var unchecked: [UncheckedCall] = []
        if let elements = root.elements {
            for (element, json) in zip(elements, whole.elements) { unchecked.append(try uncheckedCall(element, json)) }
            if unchecked.isEmpty { throw Problem("it names no tool") }
        } else {
            unchecked.append(try uncheckedCall(root, whole))
        }
        // Arguments are validated last, because the parser's values become invalid when it parses another text.
        var calls: [ParsedToolCall] = []
        for call in unchecked {
            if let problem = call.tool.problem(with: call.arguments, parser) { throw Problem(problem) }
            calls.append(ParsedToolCall(id: ids.id("call_"), name: call.tool.name, arguments: call.arguments))
        }
        return calls
    }

    private struct UncheckedCall {
        let tool: ToolDefinition
        let arguments: String
    }

    private func tool(_ name: UnsafeRawBufferPointer) -> ToolDefinition? {
        let name = name.hasPrefix("functions.") ? name[part: 10..<name.count] : name
        return tools.first { tool in tool.name.utf8.count == name.count && tool.name.utf8.elementsEqual(name) }
    }

    /// Reads one tool call from a parsed JSON object.
    /// - Parameter isInner: whether `value` is the member `function` of a call in OpenAI's format.
    private func uncheckedCall(
        _ value: JSONValue,
        _ json: RawJSON,
        isInner: Bool = false
    ) throws(Problem) -> UncheckedCall {
        guard let members = value.members else { throw Problem("it is not a JSON object") }
        var name: UnsafeRawBufferPointer?
        var arguments: String?
        var others = 0
        for (member, json) in zip(members, json.members) {
            switch member.name {
            case "name", "tool", "tool_name", "function_name": name = name ?? member.value.text
            case "function":
                // OpenAI's own form has the call in the member `function`.
                if member.value.kind == .object, !isInner {
                    return try uncheckedCall(member.value, json.value, isInner: true)
                }
                name = name ?? member.value.text
            case "arguments", "parameters", "args", "input": arguments = try text(member.value, json.value)
            case "id", "type", "call_id": break
            default: others += 1
            }
        }
        guard let name else { throw Problem("it lacks \"name\", the name of a tool") }
        guard let tool = tool(name) else {
            let names = tools.prefix(20).map { "\"\($0.name)\"" }.joined(separator: ", ")
            let quoted = name[part: 0..<min(64, name.count)].text
            throw Problem("there is no tool \"\(quoted)\"; the tools are \(names)")
        }
        if arguments == nil, others > 0 { throw Problem("it lacks \"arguments\", a JSON object") }
        return UncheckedCall(tool: tool, arguments: arguments ?? "{}")
    }

    /// Returns the JSON text of a tool call's arguments. If the arguments are a JSON string, returns the string's
    /// content.
    private func text(_ value: JSONValue, _ json: RawJSON) throws(Problem) -> String {
        switch value.kind {
        case .object: return json.bytes.text
        case .null: return "{}"
        case .string:
            guard let text = value.text, text.contains(where: { $0 > 32 }) else { return "{}" }
            return text.text
        default: throw Problem("\"arguments\" must be a JSON object")
        }
    }
}

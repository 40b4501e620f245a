import Calls
import Engine
import Shared

/// Reads items that few conversations have.
extension InputReader {
    mutating func other(
        _ item: JSONValue,
        _ place: MessagePlace,
        _ index: Int
    ) throws(APIError) -> InputItem.Kind {
        switch item["type"]?.text {
        case "item_reference": return .reference([UInt8](try text(item, "id", place).utf8))
        case "compaction", "compaction_summary": return .compaction(try text(item, "encrypted_content", place))
        case "configuration_update": return try configuration(item, place)
        case "additional_tools":
            guard let tools = item.member("tools")?.elements else { throw .missing(place(".tools")) }
            try self.tools.read(tools, place(".tools"))
            return .ignored
        case "local_shell_call", "shell_call": return .call(try builtIn(item, "shell", "action", place))
        case "apply_patch_call": return .call(try builtIn(item, "apply_patch", "operation", place))
        case "tool_search_call":
            return item.member("call_id") == nil
                ? .ignored : .call(try builtIn(item, "tool_search", "arguments", place))
        case "program": return .call(try builtIn(item, "program", "code", place))
        case "mcp_call":
            return .call(
                ToolCall(
                    id: try text(item, "id", place),
                    name: try text(item, "name", place),
                    arguments: try text(item, "arguments", place)
                )
            )
        case "custom_tool_call_output": return .result(try result(item, index))
        case "local_shell_call_output", "shell_call_output", "apply_patch_call_output":
            return .result(try builtInResult(item, "output", place))
        case "tool_search_output":
            return item.member("call_id") == nil ? .ignored : .result(try builtInResult(item, "tools", place))
        case "program_output": return .result(try builtInResult(item, "result", place))
        // The next message of the model contains their result.
        case "web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools": return .ignored
        default: throw .value(place(""), "this type of item is not supported", code: "unsupported_value")
        }
    }

    private func configuration(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> InputItem.Kind {
        let effort = try item.object("reasoning", place("")).flatMap { (reasoning) throws(APIError) in
            try reasoning.string("effort", place(".reasoning"))
        }
        let format = try item.object("text", place("")).flatMap { (text) throws(APIError) in
            try text.object("format", place(".text"))
        }
        let read = try format.map { (format) throws(APIError) in
            try Wishes.Format(format, place(".text.format"), inner: nil)
        }
        return .configuration(effort: effort, format: read)
    }

    /// Converts a call of a tool that the relay does not support into a function call.
    private func builtIn(
        _ item: JSONValue,
        _ name: String,
        _ arguments: StaticString,
        _ place: MessagePlace
    ) throws(APIError) -> ToolCall {
        guard let value = item.member(arguments) else { throw .missing(place(".\(arguments)")) }
        var text = ByteBuffer()
        if value.kind == .object {
            value.append(to: &text)
        } else {
            text.append("{\"")
            text.append(arguments)
            text.append("\":")
            value.append(to: &text)
            text.append("}")
        }
        return ToolCall(id: try callOrItemID(item, place), name: name, arguments: text.text)
    }

    private func builtInResult(
        _ item: JSONValue,
        _ name: StaticString,
        _ place: MessagePlace
    ) throws(APIError) -> ChatMessage {
        let value = item.member(name)
        var message = ChatMessage(role: .tool, text: value.map { $0.string ?? $0.body.text } ?? "")
        message.toolCallID = try callOrItemID(item, place)
        return message
    }

    /// Returns the id of the call. Some legacy items have one id for both item and call.
    private func callOrItemID(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> String {
        item.member("call_id") == nil ? try text(item, "id", place) : try callID(item, place)
    }

    /// Adds the result of a remote tool's call, which is part of the call's item.
    mutating func addResult(ofRemote item: JSONValue, _ place: MessagePlace) throws(APIError) {
        guard let outcome = item.member("output") ?? item.member("error") else { return }
        var message = ChatMessage(role: .tool, text: outcome.string ?? outcome.body.text)
        message.toolCallID = try text(item, "id", place)
        add(.result(message), place(""), nil, .other, nil)
    }
}

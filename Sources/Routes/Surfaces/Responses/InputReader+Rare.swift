import Engine
import Shared
import Upstream

/// Functions that read rare types of items, such as calls of built-in tools.
extension InputReader {
    mutating func other(_ item: JSONValue, _ path: ParameterPath, index: Int) throws(APIError) -> InputItem.Kind {
        switch item["type"]?.text {
        case "agent_message", "multi_agent_call", "multi_agent_call_output": return .message(agentMessage(item))
        // An image without its data is one that a vendor has stored.
        case "image_generation_call" where !isHistory && !item.has("result"): return try reference(item, path)
        case let type? where tools.passesItem(type): return .reasoningBlock(ReasoningBlock(item: own(item)))
        case nil, "item_reference": return try reference(item, path)
        case "compaction", "compaction_summary":
            return .compaction(try text(item, "encrypted_content", path: path))
        case "compaction_trigger":
            if !isHistory { trigger = path("") }
            return .ignored
        case "configuration_update": return try configuration(item, path)
        case "additional_tools":
            guard let tools = item["tools"]?.elements else { throw .missing(path(".tools")) }
            try self.tools.read(tools, path(".tools"))
            return .ignored
        case "local_shell_call", "shell_call":
            return .call(try builtIn(item, "shell", arguments: "action", path: path))
        case "apply_patch_call":
            return .call(try builtIn(item, "apply_patch", arguments: "operation", path: path))
        case "tool_search_call":
            return item["call_id"] == nil
                ? .ignored : .call(try builtIn(item, "tool_search", arguments: "arguments", path: path))
        case "program": return .call(try builtIn(item, "program", arguments: "code", path: path))
        case "mcp_call":
            return .call(
                ToolCall(
                    id: try text(item, "id", path: path),
                    name: try text(item, "name", path: path),
                    arguments: try text(item, "arguments", path: path)
                )
            )
        case "custom_tool_call_output": return .result(try result(item, index))
        case "local_shell_call_output", "shell_call_output", "apply_patch_call_output":
            return .result(try builtInResult(item, "output", path: path))
        case "tool_search_output":
            return item["call_id"] == nil
                ? .ignored : .result(try builtInResult(item, "tools", path: path))
        case "program_output": return .result(try builtInResult(item, "result", path: path))
        // The next message of the model contains their result.
        case "web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools": return .ignored
        default:
            guard tools.passesOwn || isHistory else { throw .unknownItem(path("")) }
            return .reasoningBlock(ReasoningBlock(item: own(item)))
        }
    }

    private func reference(_ item: JSONValue, _ path: ParameterPath) throws(APIError) -> InputItem.Kind {
        .reference([UInt8](try text(item, "id", path: path).utf8))
    }

    /// Converts a message between the threads of an agent into a message of the user, which names the author. A vendor
    /// with the Responses API gets the item as it came.
    private func agentMessage(_ item: JSONValue) -> ChatMessage {
        var texts: [String] = []
        for name: StaticString in ["name", "content", "arguments", "output"] {
            guard let value = item[name] else { continue }
            if let text = value.string { texts.append(text) }
            for part in value.elements ?? JSONElements() {
                let words = part["text"]?.string ?? part["encrypted_content"]?.string ?? part.string
                // An encrypted text has no blanks.
                if let words, part["text"] != nil || words.utf8.contains(32) || words.utf8.count < 64 {
                    texts.append(words)
                }
            }
        }
        let author = (item["author"]?.string).map { "Message from \($0):\n" } ?? ""
        let text = texts.isEmpty ? "[A message that the relay cannot read]" : texts.joined(separator: "\n")
        let block = ReasoningBlock(item: own(item))
        return ChatMessage(role: .user, content: [.reasoningBlock(block), .text(author + text)])
    }

    /// Returns the JSON of an item that goes to the vendor as it came, without an id that the relay has made.
    func own(_ item: JSONValue) -> Body {
        guard isHistory, item["id"]?.string?.begins(with: ItemType.other.rawValue) ?? false, let members = item.members
        else { return item.body }
        var text = ByteBuffer()
        text.append(object: members.filter { !$0.name.equals("id") }) { $0.value.append(to: &$1) }
        return Body(text)
    }

    private func configuration(_ item: JSONValue, _ path: ParameterPath) throws(APIError) -> InputItem.Kind {
        let effort = try item.object("reasoning", path("")).flatMap { (reasoning) throws(APIError) in
            try reasoning.string("effort", path(".reasoning"))
        }
        let format = try item.object("text", path("")).flatMap { (text) throws(APIError) in
            try text.object("format", path(".text"))
        }
        let read = try format.map { (format) throws(APIError) in
            try ChatOptions.Format(format, path(".text.format"), inner: nil)
        }
        return .configuration(effort: effort, format: read)
    }

    /// Converts the call of a built-in OpenAI tool, such as `shell`, into a normal function call.
    /// - Parameter arguments: the item's member with the call's arguments.
    private func builtIn(
        _ item: JSONValue,
        _ name: String,
        arguments: StaticString,
        path: ParameterPath
    ) throws(APIError) -> ToolCall {
        guard let value = item[arguments] else { throw .missing(path(".\(arguments)")) }
        var text = ByteBuffer()
        if value.kind == .object {
            value.append(to: &text)
        } else {
            text.append("{\"", arguments, "\":")
            value.append(to: &text)
            text.append("}")
        }
        return ToolCall(id: try callOrItemID(item, path), name: name, arguments: text.text)
    }

    private func builtInResult(
        _ item: JSONValue,
        _ name: StaticString,
        path: ParameterPath
    ) throws(APIError) -> ChatMessage {
        let value = item[name]
        var message = ChatMessage(role: .tool, text: value.map { $0.string ?? $0.body.text } ?? "")
        message.toolCallID = try callOrItemID(item, path)
        return message
    }

    /// Returns the id of the tool call: `call_id`, or `id` in older items that have no `call_id`.
    private func callOrItemID(_ item: JSONValue, _ path: ParameterPath) throws(APIError) -> String {
        item["call_id"] == nil ? try text(item, "id", path: path) : try callID(item, path)
    }

    /// Adds the result of a remote (MCP) tool call as a separate item.
    mutating func addResult(ofRemote item: JSONValue, _ path: ParameterPath) throws(APIError) {
        guard let outcome = item["output"] ?? item["error"] else { return }
        var message = ChatMessage(role: .tool, text: outcome.string ?? outcome.body.text)
        message.toolCallID = try text(item, "id", path: path)
        add(.result(message), path(""), id: nil, type: .other, members: nil)
    }
}

extension APIError {
    static func unknownItem(_ param: String) -> APIError {
        .unsupportedValue(param, "this type is not supported")
    }
}

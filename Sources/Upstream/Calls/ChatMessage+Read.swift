import Engine
import Shared

/// Reads `messages`.
func readMessages(_ fields: RequestFields) throws(APIError) -> [ChatMessage] {
    guard fields["messages"] != nil else { throw .missing("messages") }
    var messages: [ChatMessage] = []
    var calls: Set<String> = []
    for message in try fields.array("messages") ?? JSONElements() {
        let path = "messages[\(messages.count)]"
        guard message.kind == .object else { throw .type(path, "an object") }
        messages.append(try readMessage(message, path, &calls))
    }
    guard !messages.isEmpty else {
        throw APIError(400, "'messages' must not be empty.", code: "empty_array", param: "messages")
    }
    return messages
}

private func readMessage(
    _ message: JSONValue,
    _ path: String,
    _ calls: inout Set<String>
) throws(APIError) -> ChatMessage {
    guard let name = message["role"] else { throw .missing("\(path).role") }
    guard let name = name.string else { throw .type("\(path).role", "a string") }
    let role: ChatMessage.Role
    switch name {
    case "system", "developer": role = .system
    case "user": role = .user
    case "assistant": role = .assistant
    case "tool", "function": role = .tool
    default: throw .value("\(path).role", "it must be system, developer, user, assistant or tool")
    }
    var text = ""
    let hasCalls = role == .assistant && (message["tool_calls"] != nil || message["function_call"] != nil)
    if let content = message["content"] {
        text = try readContent(content, role, "\(path).content")
    } else if !hasCalls, role != .assistant || message["refusal"]?.string == nil {
        throw message.has("content") ? .type("\(path).content", "a string or an array") : .missing("\(path).content")
    }
    if role == .assistant, let refusal = message["refusal"]?.string { text += refusal }
    if hasCalls { text += try writtenCalls(message, path, &calls) }
    if name == "tool" { text = "[\(try resultOf(message, path, calls))] " + text }
    return ChatMessage(role: role, text: text)
}

private func readContent(
    _ content: JSONValue,
    _ role: ChatMessage.Role,
    _ path: String
) throws(APIError) -> String {
    if let text = content.string { return text }
    guard let parts = content.elements else { throw .type(path, "a string or an array") }
    var text = ""
    var index = 0
    for part in parts {
        text += try readPart(part, role, "\(path)[\(index)]")
        index += 1
    }
    guard index > 0 else { throw APIError(400, "'\(path)' must not be empty.", code: "empty_array", param: path) }
    return text
}

private func readPart(_ part: JSONValue, _ role: ChatMessage.Role, _ path: String) throws(APIError) -> String {
    guard part.kind == .object else { throw .type(path, "an object") }
    guard let type = part["type"] else { throw .missing("\(path).type") }
    switch type.string {
    case "text", "input_text", "output_text": return try partText(part, "text", path)
    case "refusal" where role == .assistant: return try partText(part, "refusal", path)
    case "image_url", "input_image", "input_audio", "file", "input_file":
        throw .value(path, "only text parts are offered here yet", code: "unsupported_value")
    case nil: throw .type("\(path).type", "a string")
    default: throw .value("\(path).type", "this type of part is unknown")
    }
}

private func partText(_ part: JSONValue, _ name: StaticString, _ path: String) throws(APIError) -> String {
    guard let value = part[name] else { throw .missing("\(path).\(name)") }
    guard let text = value.string else { throw .type("\(path).\(name)", "a string") }
    return text
}

// MARK: Tools of earlier turns

private func writtenCalls(
    _ message: JSONValue,
    _ path: String,
    _ calls: inout Set<String>
) throws(APIError) -> String {
    var text = ""
    if let call = message["function_call"] { text += written(call, id: nil) }
    guard let list = message["tool_calls"] else { return text }
    guard let elements = list.elements else { throw .type("\(path).tool_calls", "an array") }
    for (index, call) in elements.enumerated() {
        guard let id = call["id"]?.string else { throw .missing("\(path).tool_calls[\(index)].id") }
        calls.insert(id)
        text += written(call["function"] ?? call, id: id)
    }
    return text
}

private func written(_ call: JSONValue, id: String?) -> String {
    let label = id.map { " [\($0)]" } ?? ""
    return "\nCalled \(call["name"]?.string ?? "a tool")\(label) with \(call["arguments"]?.string ?? "{}")"
}

private func resultOf(_ message: JSONValue, _ path: String, _ calls: Set<String>) throws(APIError) -> String {
    guard let value = message["tool_call_id"] else { throw .missing("\(path).tool_call_id") }
    guard let id = value.string else { throw .type("\(path).tool_call_id", "a string") }
    guard calls.contains(id) else { throw .value("\(path).tool_call_id", "no earlier message has this call") }
    return id
}

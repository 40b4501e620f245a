import Engine
import Shared

/// Reads `messages`. What is not text is added to `parts`.
func readMessages(_ fields: RequestFields, _ parts: inout [ChatPart]) throws(APIError) -> [ChatMessage] {
    guard fields["messages"] != nil else { throw .missing("messages") }
    var messages: [ChatMessage] = []
    var calls: Set<CallID> = []
    for message in try fields.array("messages") ?? JSONElements() {
        let place = Place(message: messages.count)
        guard message.kind == .object else { throw .type(place(""), "an object") }
        messages.append(try readMessage(message, place, &calls, &parts))
    }
    guard !messages.isEmpty else {
        throw APIError(400, "'messages' must not be empty.", code: "empty_array", param: "messages")
    }
    return messages
}

/// The id of a tool's call, by its bytes: the hash of a `String` is that of its normal form.
private typealias CallID = [UInt8]

/// Where in a request something is wrong; put into words only if it is.
private struct Place {
    let message: Int
    var part: Int?

    func callAsFunction(_ rest: String) -> String {
        let part = part.map { ".content[\($0)]" } ?? ""
        return "messages[\(message)]\(part)\(rest)"
    }
}

private func readMessage(
    _ message: JSONValue,
    _ place: Place,
    _ calls: inout Set<CallID>,
    _ parts: inout [ChatPart]
) throws(APIError) -> ChatMessage {
    guard let name = message["role"] else { throw .missing(place(".role")) }
    guard let name = name.text else { throw .type(place(".role"), "a string") }
    let role: ChatMessage.Role
    switch name {
    case "system", "developer": role = .system
    case "user": role = .user
    case "assistant": role = .assistant
    case "tool", "function": role = .tool
    default: throw .value(place(".role"), "it must be system, developer, user, assistant or tool")
    }
    var text = name == "tool" ? "[\(try resultOf(message, place, calls))] " : ""
    let hasCalls = role == .assistant && (message["tool_calls"] != nil || message["function_call"] != nil)
    if let content = message["content"] {
        try readContent(content, role, place, &text, &parts)
    } else if !hasCalls, role != .assistant || message["refusal"]?.text == nil {
        throw message.has("content") ? .type(place(".content"), "a string or an array") : .missing(place(".content"))
    }
    if role == .assistant, let refusal = message["refusal"]?.string { text += refusal }
    if hasCalls { text += try writtenCalls(message, place, &calls) }
    return ChatMessage(role: role, text: text)
}

/// Appends to `text` and `parts`.
private func readContent(
    _ content: JSONValue,
    _ role: ChatMessage.Role,
    _ place: Place,
    _ text: inout String,
    _ parts: inout [ChatPart]
) throws(APIError) {
    if let whole = content.string {
        text += whole
        return
    }
    guard let elements = content.elements else { throw .type(place(".content"), "a string or an array") }
    var index = 0
    for element in elements {
        let place = Place(message: place.message, part: index)
        if let more = try readPart(element, role, place) {
            text += more
        } else {
            let spot = ChatPart.Spot(message: place.message, offset: text.utf8.count)
            try parts.add(try readMedium(element, spot, place))
        }
        index += 1
    }
    guard index > 0 else {
        let path = place(".content")
        throw APIError(400, "'\(path)' must not be empty.", code: "empty_array", param: path)
    }
}

/// Nil: what it holds is not text.
private func readPart(_ part: JSONValue, _ role: ChatMessage.Role, _ place: Place) throws(APIError) -> String? {
    guard part.kind == .object else { throw .type(place(""), "an object") }
    guard let type = part["type"] else { throw .missing(place(".type")) }
    switch type.text {
    case "text", "input_text", "output_text": return try partText(part, "text", place)
    case "refusal" where role == .assistant: return try partText(part, "refusal", place)
    case "image_url", "input_image", "input_audio", "file", "input_file": return nil
    case nil: throw .type(place(".type"), "a string")
    default: throw .value(place(".type"), "this type of part is unknown")
    }
}

private func readMedium(_ part: JSONValue, _ spot: ChatPart.Spot, _ place: Place) throws(APIError) -> ChatPart {
    let reader = ChatPartReader(part: part, spot: spot, place: place(""))
    return switch part["type"]?.text {
    case "input_audio": try reader.sound()
    case "file", "input_file": try reader.file()
    default: try reader.picture()
    }
}

private func partText(_ part: JSONValue, _ name: StaticString, _ place: Place) throws(APIError) -> String {
    guard let value = part[name] else { throw .missing(place(".\(name)")) }
    guard let text = value.string else { throw .type(place(".\(name)"), "a string") }
    return text
}

// MARK: Tools of earlier turns

private func writtenCalls(
    _ message: JSONValue,
    _ place: Place,
    _ calls: inout Set<CallID>
) throws(APIError) -> String {
    var text = ""
    if let call = message["function_call"] { text += written(call, id: nil) }
    guard let list = message["tool_calls"] else { return text }
    guard let elements = list.elements else { throw .type(place(".tool_calls"), "an array") }
    for (index, call) in elements.enumerated() {
        guard let id = call["id"]?.text else { throw .missing(place(".tool_calls[\(index)].id")) }
        calls.insert(CallID(id))
        text += written(call["function"] ?? call, id: id.text)
    }
    return text
}

private func written(_ call: JSONValue, id: String?) -> String {
    let label = id.map { " [\($0)]" } ?? ""
    return "\nCalled \(call["name"]?.string ?? "a tool")\(label) with \(call["arguments"]?.string ?? "{}")"
}

private func resultOf(_ message: JSONValue, _ place: Place, _ calls: Set<CallID>) throws(APIError) -> String {
    guard let value = message["tool_call_id"] else { throw .missing(place(".tool_call_id")) }
    guard let id = value.text else { throw .type(place(".tool_call_id"), "a string") }
    guard calls.contains(CallID(id)) else { throw .value(place(".tool_call_id"), "no earlier message has this call") }
    return id.text
}

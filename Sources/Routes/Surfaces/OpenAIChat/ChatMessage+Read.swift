import Engine
import Shared
import Upstream

/// Reads the messages of a chat completion request and returns them.
///
/// Adds attachments, abilities that the vendor needs and the first unknown part to `call`, and cache breakpoints to
/// `marks`. Sets `isAmbiguous` if several tool calls have the same id.
func readMessages(
    _ fields: RequestFields,
    _ call: inout ChatCall,
    _ marks: inout [ChatOptions.CacheBreakpoint],
    isAmbiguous: inout Bool
) throws(APIError) -> [ChatMessage] {
    guard let array = fields["messages"] else { throw .missing("messages") }
    var messages: [ChatMessage] = []
    // Not for all elements of a long array, which may be wrong.
    messages.reserveCapacity(min(array.count, 32))
    var calls = EarlierCalls()
    for message in try fields.array("messages") ?? JSONElements() {
        let path = ParameterPath(message: messages.count)
        guard message.kind == .object else { throw .type(path(""), "an object") }
        messages.append(try readMessage(message, path, calls: &calls, &call, marks: &marks))
    }
    guard !messages.isEmpty else { throw .emptyArray("messages") }
    isAmbiguous = calls.isAmbiguous
    return messages
}

private func readMessage(
    _ message: JSONValue,
    _ path: ParameterPath,
    calls: inout EarlierCalls,
    _ call: inout ChatCall,
    marks: inout [ChatOptions.CacheBreakpoint]
) throws(APIError) -> ChatMessage {
    // Most messages have nothing else.
    if let (name, text) = message.texts("role", "content"), let role = ChatMessage.Role(name), role != .tool {
        return ChatMessage(role: role, text: text.text)
    }
    guard let role = ChatMessage.Role(try message.requiredText("role", path(""))) else {
        throw .value(path(".role"), "must be system, developer, user, assistant or tool")
    }
    var read = ChatMessage(role: role, content: [], name: message["name"]?.string)
    if role == .tool {
        read.toolCallID = try message.requiredText("tool_call_id", path("")).text
        calls.settle(&read)
    }
    let hasCalls = role == .assistant && (message["tool_calls"] != nil || message["function_call"] != nil)
    if role == .assistant, let reasoningBlock = reasoningBlock(of: message) {
        read.content.append(.reasoningBlock(reasoningBlock))
    }
    if let content = message["content"] {
        let mayBeEmpty = hasCalls || !read.content.isEmpty
        try readContent(content, path, mayBeEmpty, message: &read, &call, marks: &marks)
    } else if role == .assistant, let audio = message["audio"], audio.kind == .object {
        let words = audio["transcript"]?.string ?? ""
        // Without a transcript, only the vendor that made the audio knows its words.
        if words.isEmpty { call.needs.insert(.audioReferences) }
        read.content.append(.text(words))
    } else if !hasCalls, read.content.isEmpty, role != .assistant || message["refusal"]?.text == nil {
        throw message.has("content")
            ? .type(path(".content"), "a string or an array") : .missing(path(".content"))
    }
    if role == .assistant, let refusal = message["refusal"]?.string { read.content.append(.refusal(refusal)) }
    if hasCalls { read.toolCalls = try readCalls(message, path, calls: &calls) }
    return read
}

/// Returns the reasoning in a message; nil if the message contains none.
private func reasoningBlock(of message: JSONValue) -> ReasoningBlock? {
    guard let text = message["reasoning_content"]?.string ?? message["reasoning"]?.string else { return nil }
    return ReasoningBlock(text, signature: message["extra_content"]?["thought_signature"]?.string)
}

extension ChatMessage.Role {
    init?(_ name: UnsafeRawBufferPointer) {
        // Most messages have one of the first two roles.
        switch name {
        case "user": self = .user
        case "assistant": self = .assistant
        case "system": self = .system
        case "developer": self = .developer
        case "tool": self = .tool
        case "function": self = .function
        default: return nil
        }
    }
}

/// Reads a message's `content` into `message`, attachments into `call`, and cache breakpoints into `marks`. A part of an
/// unknown type becomes its own JSON text, so that it counts as tokens, and sets the call's `unreadError`.
/// - Parameter mayBeEmpty: whether an empty array is accepted, as beside tool calls and reasoning.
private func readContent(
    _ content: JSONValue,
    _ path: ParameterPath,
    _ mayBeEmpty: Bool,
    message: inout ChatMessage,
    _ call: inout ChatCall,
    marks: inout [ChatOptions.CacheBreakpoint]
) throws(APIError) {
    if let whole = content.string {
        message.content.append(.text(whole))
        return
    }
    guard let elements = content.elements else { throw .type(path(".content"), "a string or an array") }
    var index = 0
    for element in elements {
        let part = path.part(index)
        do throws(APIError) {
            if let piece = try readPart(element, message.role, path: part) {
                message.content.append(piece)
            } else {
                try call.attachments.add(try readMedium(element, part))
                message.content.append(.attachment(call.attachments.count - 1))
            }
        } catch {
            guard element.isUnknownPart else { throw error }
            call.unreadError = call.unreadError ?? error
            message.content.append(.text(element.body.text))
        }
        // A cache breakpoint inside a result marks the end of the whole result.
        let end = message.content.count - 1
        let marked: ChatOptions.CacheBreakpoint.Location =
            message.isResult ? .result(of: path.message) : .piece(end, of: path.message)
        if let mark = ChatOptions.CacheBreakpoint(marked, of: element) { marks.append(mark) }
        index += 1
    }
    guard index > 0 || mayBeEmpty else { throw .emptyArray(path(".content")) }
}

/// Returns one part of a message's content; nil if the part is an image, audio or a file.
func readPart(
    _ part: JSONValue,
    _ role: ChatMessage.Role,
    path: ParameterPath
) throws(APIError) -> ChatMessage.Piece? {
    guard part.kind == .object else { throw .type(path(""), "an object") }
    switch try part.requiredText("type", path("")) {
    case "text", "input_text", "output_text": return .text(try part.requiredText("text", path("")).text)
    case "refusal" where role == .assistant: return .refusal(try part.requiredText("refusal", path("")).text)
    case "image_url", "input_image", "input_audio", "file", "input_file": return nil
    default:
        let known = "text, image_url, input_audio or file"
        throw .value(path(".type"), "this type of content part is not supported; use \(known)")
    }
}

extension JSONValue {
    /// Whether the value is a content part of a type that OpenAI's API does not have.
    var isUnknownPart: Bool { self["type"]?.text.map { !ChatMessage.Piece.isKnown(type: $0) } ?? false }
}

func readMedium(_ part: JSONValue, _ path: ParameterPath) throws(APIError) -> Attachment {
    let reader = AttachmentReader(part: part, path: path(""))
    return switch part["type"]?.text {
    case "input_audio": try reader.audio()
    case "file", "input_file": try reader.file()
    default: try reader.image()
    }
}

// MARK: Tool calls of earlier turns

private func readCalls(
    _ message: JSONValue,
    _ path: ParameterPath,
    calls: inout EarlierCalls
) throws(APIError) -> [ToolCall] {
    var read: [ToolCall] = []
    if let call = message["function_call"] { read.append(toolCall(call, id: nil)) }
    guard let list = message["tool_calls"] else { return read }
    guard let elements = list.elements else { throw .type(path(".tool_calls"), "an array") }
    for (index, call) in elements.enumerated() {
        guard let id = call["id"]?.text else { throw .missing(path(".tool_calls[\(index)].id")) }
        calls.insert(CallID(id))
        var made = toolCall(call["function"] ?? call["custom"] ?? call, id: id.text)
        made.signature = call["extra_content"]?["google"]?["thought_signature"]?.string
        read.append(made)
    }
    return read
}

/// Reads a tool call of an earlier response.
/// - Parameter id: the id of the call; nil for a legacy function call.
private func toolCall(_ call: JSONValue, id: String?) -> ToolCall {
    let arguments = call["arguments"]?.string ?? call["input"]?.string.map { ToolNames.arguments(ofInput: $0) }
    return ToolCall(id: id, name: call["name"]?.string ?? "a tool", arguments: arguments ?? "{}")
}

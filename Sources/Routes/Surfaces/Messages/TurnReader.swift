import Engine
import Shared
import Upstream

/// A reader for the conversation of a request to the Messages API.
struct TurnReader {
    private(set) var messages: [ChatMessage] = []
    /// The images and documents of all messages. Messages refer to them by their index in this list.
    private(set) var attachments: [Attachment] = []
    private(set) var cacheBreakpoints: [ChatOptions.CacheBreakpoint] = []
    private(set) var calls = EarlierCalls()
    /// The rules for reading. Content that is tolerated but not understood becomes its own JSON text, so that it counts
    /// as tokens.
    private(set) var reading: MessageReading

    init(_ reading: MessageReading) { self.reading = reading }

    mutating func readSystem(_ system: JSONValue) throws(APIError) {
        if let whole = system.text {
            messages.append(ChatMessage(role: .system, text: Self.instruction(whole)))
            return
        }
        guard let blocks = system.elements else { throw .type("system", "a string or an array") }
        for (index, block) in blocks.enumerated() {
            let param = "system[\(index)]"
            guard block.kind == .object else { throw .type(param, "an object") }
            guard block["type"]?.text == "text" else { throw .value("\(param).type", "must be text") }
            let text = try block.requiredText("text", param)
            let instruction = Self.instruction(text)
            if instruction.isEmpty, !text.isEmpty { continue }
            record(.piece(0, of: messages.count), of: block)
            messages.append(ChatMessage(role: .system, text: instruction))
        }
    }

    /// Returns an instruction's text without Claude Code's attribution line, which only Anthropic's services read.
    private static func instruction(_ text: UnsafeRawBufferPointer) -> String {
        text[part: ChatMessage.attributionBytes(in: text)..<text.count].text
    }

    /// Reads the content of a turn of the role `system`, which contains only text. Ignores a turn without text.
    private mutating func readInstruction(_ content: JSONValue, _ path: ParameterPath) throws(APIError) {
        var message = ChatMessage(role: .system, content: [])
        if let whole = content.text {
            message.content = [.text(Self.instruction(whole))]
        } else {
            guard let blocks = content.elements else { throw .type(path(".content"), "a string or an array") }
            for (index, block) in blocks.enumerated() {
                let path = path.part(index)
                let type = try Self.type(of: block, path)
                if type == "tool_addition" {
                    let tool = block["tool"] ?? block
                    let name = tool["tool_name"]?.string ?? tool["name"]?.string
                    message.content.append(
                        .text(name.map { "The tool \($0) is available." } ?? "More tools are available.")
                    )
                    continue
                }
                guard type == "text" else {
                    throw .value(path(".type"), "a turn of the role system supports only text blocks")
                }
                record(.piece(index, of: messages.count), of: block)
                message.content.append(.text(Self.instruction(try block.requiredText("text", path("")))))
            }
        }
        if !message.isBlank { return messages.append(message) }
        // A turn that is left out has no cache breakpoints.
        cacheBreakpoints.removeAll { if case .piece(_, messages.count) = $0.position { true } else { false } }
    }

    mutating func read(_ list: JSONElements) throws(APIError) {
        var index = 0
        for value in list {
            do throws(APIError) {
                try read(value, ParameterPath(message: index))
            } catch {
                try reading.tolerate(error)
                messages.append(ChatMessage(role: .user, text: value.body.text))
            }
            index += 1
        }
        guard index > 0, !messages.isEmpty else {
            throw .emptyArray("messages")
        }
    }

    private mutating func read(_ value: JSONValue, _ path: ParameterPath) throws(APIError) {
        guard value.kind == .object else { throw .type(path(""), "an object") }
        let role = try Self.role(value, path)
        guard let content = value["content"] else {
            throw value.has("content")
                ? .type(path(".content"), "a string or an array") : .missing(path(".content"))
        }
        if role == .system { return try readInstruction(content, path) }
        if let whole = content.string {
            messages.append(ChatMessage(role: role, text: whole))
            return
        }
        guard let blocks = content.elements else { throw .type(path(".content"), "a string or an array") }
        let before = messages.count
        var message = ChatMessage(role: role, content: [])
        for (index, block) in blocks.enumerated() {
            do throws(APIError) {
                try read(block, of: &message, path.part(index))
            } catch {
                try reading.tolerate(error)
                message.content.append(.text(block.body.text))
            }
        }
        if !message.content.isEmpty || !message.toolCalls.isEmpty { return messages.append(message) }
        if messages.count == before { messages.append(ChatMessage(role: role, text: "")) }
    }

    private mutating func read(
        _ block: JSONValue,
        of message: inout ChatMessage,
        _ path: ParameterPath
    ) throws(APIError) {
        switch (try Self.type(of: block, path), message.role) {
        case ("tool_result", .user):
            // A result is a message of its own, so the content before it ends here.
            if !message.content.isEmpty { messages.append(message) }
            message.content = []
            record(.result(of: messages.count), of: block)
            messages.append(try result(block, path))
        case ("tool_use", .assistant):
            record(.call(message.toolCalls.count, of: messages.count), of: block)
            var call = try call(block, path)
            call.contentBefore = message.content.count
            message.toolCalls.append(call)
        case ("thinking", .assistant), ("redacted_thinking", .assistant):
            if let reasoningBlock = try Self.reasoningBlock(block, path("")) {
                message.content.append(.reasoningBlock(reasoningBlock))
            }
        case (let type, _):
            let count = message.content.count
            try append(block, type, path: path, to: &message.content)
            // A block without content adds nothing, and there may be no message to mark.
            guard message.content.count > count else { return }
            record(.piece(message.content.count - 1, of: messages.count), of: block)
        }
    }

    private mutating func record(_ position: ChatOptions.CacheBreakpoint.Location, of block: JSONValue) {
        if let mark = ChatOptions.CacheBreakpoint(position, of: block) { cacheBreakpoints.append(mark) }
    }

    private static func role(_ message: JSONValue, _ path: ParameterPath) throws(APIError) -> ChatMessage.Role {
        let name = try message.requiredText("role", path(""))
        guard let role = ChatMessage.Role(name), role == .user || role == .assistant || role == .system else {
            throw .value(path(".role"), "must be user, assistant or system")
        }
        return role
    }

    private static func type(of block: JSONValue, _ path: ParameterPath) throws(APIError) -> UnsafeRawBufferPointer {
        guard block.kind == .object else { throw .type(path(""), "an object") }
        return try block.requiredText("type", path(""))
    }

    private static func reasoningBlock(_ block: JSONValue, _ param: String) throws(APIError) -> ReasoningBlock? {
        if let sealed = try block.string("data", param) { return ReasoningBlock("", signature: sealed, isSealed: true) }
        let text = try block.string("thinking", param) ?? ""
        return ReasoningBlock(text, signature: try block.string("signature", param))
    }

    // MARK: Tools

    private mutating func call(_ block: JSONValue, _ path: ParameterPath) throws(APIError) -> ToolCall {
        let id = try block.requiredText("id", path(""))
        let name = try block.requiredText("name", path(""))
        guard let input = try block.object("input", path("")) else { throw .missing(path(".input")) }
        calls.insert(CallID(id))
        return ToolCall(id: id.text, name: name.text, arguments: input.body.text)
    }

    private mutating func result(_ block: JSONValue, _ path: ParameterPath) throws(APIError) -> ChatMessage {
        let id = try block.requiredText("tool_use_id", path(""))
        guard calls.contains(CallID(id)) else {
            throw .value(path(".tool_use_id"), "no earlier message has this call")
        }
        var message = ChatMessage(role: .tool, content: [])
        message.toolCallID = id.text
        if try block.flag("is_error", path("")) ?? false { message.role = .failedTool }
        guard let content = block["content"] else {
            message.content = [.text("")]
            return message
        }
        try append(content, path, to: &message.content)
        return message
    }

    /// Appends the content of a message or a tool result to `pieces`.
    private mutating func append(
        _ content: JSONValue,
        _ path: ParameterPath,
        to pieces: inout [ChatMessage.Piece]
    ) throws(APIError) {
        if let whole = content.string { return pieces.append(.text(whole)) }
        guard let blocks = content.elements else { throw .type(path(".content"), "a string or an array") }
        for (index, block) in blocks.enumerated() {
            let path = path.part(index)
            do throws(APIError) {
                try append(block, try Self.type(of: block, path), path: path, to: &pieces)
            } catch {
                try reading.tolerate(error)
                pieces.append(.text(block.body.text))
            }
        }
    }

    // MARK: Content

    private mutating func append(
        _ block: JSONValue,
        _ type: UnsafeRawBufferPointer,
        path: ParameterPath,
        to pieces: inout [ChatMessage.Piece]
    ) throws(APIError) {
        switch type {
        case "text": pieces.append(.text(try block.requiredText("text", path("")).text))
        case "image": try add(try SourceReader(block, path("")).image(), to: &pieces)
        case "document": try appendDocument(block, path, to: &pieces)
        case "search_result":
            for name: StaticString in ["title", "source"] {
                if let line = try block.string(name, path("")) { pieces.append(.text("\(line)\n")) }
            }
            if let content = block["content"] { try append(content, path, to: &pieces) }
        // All tools are given to the model at once, so the reference only says which of them was found.
        case "tool_reference":
            let name = try block.requiredText("tool_name", path("")).text
            pieces.append(.text("The tool \(name) is available.\n"))
        default: throw .unsupportedValue(path(".type"), "blocks of this type are not supported")
        }
    }

    /// Appends a document block to `pieces`. A document of text or content blocks becomes parts of the message; any
    /// other becomes an attachment.
    private mutating func appendDocument(
        _ block: JSONValue,
        _ path: ParameterPath,
        to pieces: inout [ChatMessage.Piece]
    ) throws(APIError) {
        let reader = SourceReader(block, path(""))
        let title = try reader.title()
        if let context = try block.string("context", path("")) { pieces.append(.text("\(context)\n")) }
        let source = try reader.source()
        let opening = "[Document\(title.map { ": \($0)" } ?? "")]\n"
        switch source.type {
        case "text":
            pieces.append(.text(opening))
            pieces += [.text(try reader.text(source.value)), .text("\n")]
        case "content":
            guard let content = source.value["content"] else { throw .missing(path(".source.content")) }
            pieces.append(.text(opening))
            try append(content, path, to: &pieces)
            pieces.append(.text("\n"))
        default: try add(try reader.file(source, name: title), to: &pieces)
        }
    }

    private mutating func add(_ attachment: Attachment, to pieces: inout [ChatMessage.Piece]) throws(APIError) {
        try attachments.add(attachment)
        pieces.append(.attachment(attachments.count - 1))
    }
}

extension ChatOptions.CacheBreakpoint {
    /// Creates the cache breakpoint from the value's `cache_control`; nil if the value has none.
    init?(_ position: Location, of value: JSONValue) {
        guard let mark = value["cache_control"] else { return nil }
        self.init(position, mark)
    }

    /// Creates the cache breakpoint from a value of `cache_control`; nil if the value is invalid.
    init?(_ position: Location, _ mark: JSONValue) {
        guard mark["type"]?.text == "ephemeral" else { return nil }
        self.init(position, isLong: mark["ttl"]?.text == "1h")
    }
}

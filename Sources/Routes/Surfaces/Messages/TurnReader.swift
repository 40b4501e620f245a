import Calls
import Engine
import Shared

/// Reads the conversation of a request to the Messages API.
struct TurnReader {
    private(set) var messages: [ChatMessage] = []
    /// The content of the messages that is not text. Messages refer to it by its index.
    private(set) var attachments: [Attachment] = []
    private(set) var cacheMarks: [Wishes.CacheMark] = []
    private var calls: Set<CallID> = []

    mutating func readSystem(_ system: JSONValue) throws(APIError) {
        if let whole = system.string {
            messages.append(ChatMessage(role: .system, text: whole))
            return
        }
        guard let blocks = system.elements else { throw .type("system", "a string or an array") }
        for (index, block) in blocks.enumerated() {
            let param = "system[\(index)]"
            guard block.kind == .object else { throw .type(param, "an object") }
            guard block["type"]?.text == "text" else { throw .value("\(param).type", "must be text") }
            guard let text = try block.string("text", param) else { throw .missing("\(param).text") }
            note(.piece(0, of: messages.count), of: block)
            messages.append(ChatMessage(role: .system, text: text))
        }
    }

    mutating func read(_ list: JSONElements) throws(APIError) {
        var index = 0
        for value in list {
            try read(value, MessagePlace(message: index))
            index += 1
        }
        guard index > 0 else {
            throw APIError(400, "'messages' must not be empty.", code: "empty_array", param: "messages")
        }
    }

    private mutating func read(_ value: JSONValue, _ place: MessagePlace) throws(APIError) {
        guard value.kind == .object else { throw .type(place(""), "an object") }
        let role = try Self.role(value, place)
        guard let content = value["content"] else {
            throw value.has("content") ? .type(place(".content"), "a string or an array") : .missing(place(".content"))
        }
        if let whole = content.string {
            messages.append(ChatMessage(role: role, text: whole))
            return
        }
        guard let blocks = content.elements else { throw .type(place(".content"), "a string or an array") }
        let before = messages.count
        var message = ChatMessage(role: role, content: [])
        for (index, block) in blocks.enumerated() {
            let place = place.part(index)
            switch (try Self.type(of: block, place), role) {
            case ("tool_result", .user):
                // A result is a message of its own, so the content before it ends here.
                if !message.content.isEmpty { messages.append(message) }
                message.content = []
                note(.result(of: messages.count), of: block)
                messages.append(try result(block, place))
            case ("tool_use", .assistant):
                note(.call(message.toolCalls.count, of: messages.count), of: block)
                var call = try call(block, place)
                call.place = message.content.count
                message.toolCalls.append(call)
            case ("thinking", .assistant), ("redacted_thinking", .assistant):
                if let thought = try Self.thought(block, place("")) { message.content.append(.thought(thought)) }
            case (let type, _):
                let count = message.content.count
                try append(block, type, place, to: &message.content)
                // A block without content adds nothing, and there may be no message to mark.
                guard message.content.count > count else { continue }
                note(.piece(message.content.count - 1, of: messages.count), of: block)
            }
        }
        if !message.content.isEmpty || !message.toolCalls.isEmpty { return messages.append(message) }
        if messages.count == before { messages.append(ChatMessage(role: role, text: "")) }
    }

    private mutating func note(_ place: Wishes.CacheMark.Place, of block: JSONValue) {
        if let mark = Wishes.CacheMark(place, of: block) { cacheMarks.append(mark) }
    }

    private static func role(_ message: JSONValue, _ place: MessagePlace) throws(APIError) -> ChatMessage.Role {
        guard let name = message["role"] else { throw .missing(place(".role")) }
        guard let name = name.text else { throw .type(place(".role"), "a string") }
        switch name {
        case "user": return .user
        case "assistant": return .assistant
        default: throw .value(place(".role"), "must be user or assistant; put instructions into 'system'")
        }
    }

    private static func type(of block: JSONValue, _ place: MessagePlace) throws(APIError) -> UnsafeRawBufferPointer {
        guard block.kind == .object else { throw .type(place(""), "an object") }
        guard let type = block["type"] else { throw .missing(place(".type")) }
        guard let type = type.text else { throw .type(place(".type"), "a string") }
        return type
    }

    private static func thought(_ block: JSONValue, _ param: String) throws(APIError) -> Thought? {
        if let sealed = try block.string("data", param) { return Thought("", signature: sealed, isSealed: true) }
        let text = try block.string("thinking", param) ?? ""
        return Thought(text, signature: try block.string("signature", param))
    }

    // MARK: Tools

    private mutating func call(_ block: JSONValue, _ place: MessagePlace) throws(APIError) -> ToolCall {
        guard let id = block["id"] else { throw .missing(place(".id")) }
        guard let id = id.text else { throw .type(place(".id"), "a string") }
        guard let name = block["name"] else { throw .missing(place(".name")) }
        guard let name = name.string else { throw .type(place(".name"), "a string") }
        guard let input = block["input"] else { throw .missing(place(".input")) }
        guard input.kind == .object else { throw .type(place(".input"), "an object") }
        calls.insert(CallID(id))
        return ToolCall(id: id.text, name: name, arguments: input.body.text)
    }

    private mutating func result(_ block: JSONValue, _ place: MessagePlace) throws(APIError) -> ChatMessage {
        guard let id = block["tool_use_id"] else { throw .missing(place(".tool_use_id")) }
        guard let id = id.text else { throw .type(place(".tool_use_id"), "a string") }
        guard calls.contains(CallID(id)) else {
            throw .value(place(".tool_use_id"), "no earlier message has this call")
        }
        var message = ChatMessage(role: .tool, content: [])
        message.toolCallID = id.text
        if let flag = block["is_error"] {
            guard let flag = flag.flag else { throw .type(place(".is_error"), "a boolean") }
            if flag { message.role = .failedTool }
        }
        guard let content = block["content"] else {
            message.content = [.text("")]
            return message
        }
        try append(content, place, to: &message.content)
        return message
    }

    /// Appends a string, or the blocks inside a block.
    private mutating func append(
        _ content: JSONValue,
        _ place: MessagePlace,
        to pieces: inout [ChatMessage.Piece]
    ) throws(APIError) {
        if let whole = content.string { return pieces.append(.text(whole)) }
        guard let blocks = content.elements else { throw .type(place(".content"), "a string or an array") }
        for (index, block) in blocks.enumerated() {
            let place = place.part(index)
            try append(block, try Self.type(of: block, place), place, to: &pieces)
        }
    }

    // MARK: Content

    private mutating func append(
        _ block: JSONValue,
        _ type: UnsafeRawBufferPointer,
        _ place: MessagePlace,
        to pieces: inout [ChatMessage.Piece]
    ) throws(APIError) {
        switch type {
        case "text":
            guard let text = block["text"] else { throw .missing(place(".text")) }
            guard let text = text.string else { throw .type(place(".text"), "a string") }
            pieces.append(.text(text))
        case "image":
            try add(try SourceReader(block, place("")).picture(), to: &pieces)
        case "document": try appendDocument(block, place, to: &pieces)
        case "search_result":
            for name: StaticString in ["title", "source"] {
                if let line = try block.string(name, place("")) { pieces.append(.text("\(line)\n")) }
            }
            if let content = block["content"] { try append(content, place, to: &pieces) }
        default:
            throw .value(place(".type"), "blocks of this type are not supported", code: "unsupported_value")
        }
    }

    /// Appends a document. Plain text becomes text of the message; other documents become files.
    private mutating func appendDocument(
        _ block: JSONValue,
        _ place: MessagePlace,
        to pieces: inout [ChatMessage.Piece]
    ) throws(APIError) {
        let reader = SourceReader(block, place(""))
        let title = try reader.title()
        if let context = try block.string("context", place("")) { pieces.append(.text("\(context)\n")) }
        let source = try reader.source()
        switch source.type {
        case "text":
            pieces.append(.text("[Document\(title.map { ": \($0)" } ?? "")]\n"))
            pieces.append(.text(try reader.text(source.value)))
            pieces.append(.text("\n"))
        case "content":
            guard let content = source.value["content"] else { throw .missing(place(".source.content")) }
            pieces.append(.text("[Document\(title.map { ": \($0)" } ?? "")]\n"))
            try append(content, place, to: &pieces)
            pieces.append(.text("\n"))
        default: try add(try reader.file(source, name: title), to: &pieces)
        }
    }

    private mutating func add(_ attachment: Attachment, to pieces: inout [ChatMessage.Piece]) throws(APIError) {
        try attachments.add(attachment)
        pieces.append(.attachment(attachments.count - 1))
    }
}

extension Wishes.CacheMark {
    /// Creates the cache breakpoint of a block, tool or request; nil if it has none.
    init?(_ place: Place, of value: JSONValue) {
        guard let mark = value["cache_control"], mark["type"]?.text == "ephemeral" else { return nil }
        self.init(place, isLong: mark["ttl"]?.text == "1h")
    }
}

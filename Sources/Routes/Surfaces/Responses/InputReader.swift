import Engine
import Shared
import Upstream

/// A reader of items from a Responses API request or a stored response.
struct InputReader {
    /// The way in which input items are stored: not at all, completely, or with digests in place of images and files.
    enum Keeping {
        case nothing
        /// Items are stored with a SHA-256 digest in place of the data of images and files.
        case digests
        case all
    }

    let keeping: Keeping
    /// Whether the items come from a stored response.
    let isHistory: Bool
    var list = ItemList()
    var tools: ToolReader
    var keptBytes = 0
    /// The path of the item that asks for a compaction of the conversation; nil if there is none.
    var trigger: String?
    /// Whether an item that the relay does not understand is left out, and its error kept in `unreadError`.
    var toleratesUnknown = false
    /// The error for the first item that was left out.
    private(set) var unreadError: APIError?
    /// Whether an item has an id or a signature that the relay has made, other than the id of a user's message.
    private(set) var hasRelayIDs = false
    /// Whether a user's message has an id that the relay has made when it compacted the conversation.
    private(set) var hasCompactedMessages = false

    init(keeping: Keeping, isHistory: Bool = false, _ tools: ToolReader = ToolReader()) {
        self.keeping = keeping
        self.isHistory = isHistory
        self.tools = tools
    }

    mutating func read(_ input: JSONValue) throws(APIError) {
        if let text = input.string {
            add(
                .message(ChatMessage(role: .user, text: text)),
                "input",
                id: nil,
                type: .message,
                members: keptText(input)
            )
            return
        }
        guard let elements = input.elements else { throw .type("input", "a string or an array") }
        try read(elements)
    }

    mutating func read(_ elements: JSONElements) throws(APIError) {
        for (index, item) in elements.enumerated() {
            guard item.kind == .object else { throw .type("input[\(index)]", "an object") }
            do throws(APIError) {
                try readItem(item, index)
            } catch {
                guard toleratesUnknown, trigger == nil else { throw error }
                unreadError = unreadError ?? error
            }
        }
    }

    private mutating func readItem(_ item: JSONValue, _ index: Int) throws(APIError) {
        if let trigger { throw .value(trigger, "a compaction_trigger must be the last item") }
        let path = ParameterPath(message: index, in: .input)
        let type = item["type"]
        if let type, type.text == nil { throw .type(path(".type"), "a string") }
        let (kind, itemType): (InputItem.Kind, ItemType)
        var param = path("")
        switch type?.text {
        case nil where item["role"] == nil && item["id"] != nil:
            (kind, itemType) = (try other(item, path, index: index), .other)
        case nil, "message": (kind, itemType) = try messageOrItem(item, path, &param)
        case "function_call": (kind, itemType) = (.call(try functionCall(item, path)), .functionCall)
        case "custom_tool_call": (kind, itemType) = (.call(try customCall(item, path)), .customCall)
        case "function_call_output": (kind, itemType) = (.result(try result(item, index)), .functionOutput)
        case "reasoning": (kind, itemType) = (try reasoningBlock(item, path), .reasoning)
        default: (kind, itemType) = (try other(item, path, index: index), .other)
        }
        if case .reference = kind { return add(kind, path(""), id: nil, type: .other, members: nil) }
        // A reference to a stored item consists of an id only, whatever its type is.
        add(kind, param, id: try id(item, path, kind.isOfUser), type: itemType, members: kept(item, itemType))
        if case .call = kind, item["type"]?.text == "mcp_call" { try addResult(ofRemote: item, path) }
    }

    private mutating func id(_ item: JSONValue, _ path: ParameterPath, _ isOfUser: Bool) throws(APIError) -> String? {
        guard let id = item["id"] else { return nil }
        guard let text = id.text else { throw .type(path(".id"), "a string") }
        guard text.count <= 256 else { throw .tooLong(path(".id"), text.count, limitBytes: 256) }
        if ItemType.isMadeByRelay(text) {
            if isOfUser { hasCompactedMessages = true } else { hasRelayIDs = true }
        }
        return text.text
    }

    mutating func add(_ kind: InputItem.Kind, _ param: String, id: String?, type: ItemType, members: Body?) {
        keptBytes += members?.bytes.count ?? 0
        list.items.append(InputItem(kind: kind, param: param, id: id, type: type, members: members))
    }

    // MARK: Messages

    /// Reads a message. One with a part of an unknown type becomes an item, which vendors with this API get as it came, and
    /// `param` the path of the part.
    private mutating func messageOrItem(
        _ item: JSONValue,
        _ path: ParameterPath,
        _ param: inout String
    ) throws(APIError) -> (InputItem.Kind, ItemType) {
        let attachments = list.attachments.count
        do throws(APIError) {
            return (.message(try message(item, path)), .message)
        } catch {
            let hasUnknown = item["content"]?.elements?.contains(where: \.isUnknownPart) ?? false
            guard hasUnknown, tools.passesOwn || isHistory else { throw error }
            list.attachments.removeSubrange(attachments...)
            param = error.param ?? param
            return (.reasoningBlock(ReasoningBlock(item: own(item))), .other)
        }
    }

    private mutating func message(_ item: JSONValue, _ path: ParameterPath) throws(APIError) -> ChatMessage {
        guard let name = item["role"] else { throw .missing(path(item.has("type") ? ".role" : ".type")) }
        guard let name = name.text else { throw .type(path(".role"), "a string") }
        guard let role = ChatMessage.Role(name), [.user, .assistant, .system, .developer].contains(role) else {
            throw .value(path(".role"), "must be user, assistant, system or developer")
        }
        guard let content = item["content"] else {
            // Some clients send the assistant's calls and reasoning beside a message without content.
            guard role == .assistant else { throw .missing(path(".content")) }
            return ChatMessage(role: role, content: [])
        }
        var message = ChatMessage(role: role, content: try pieces(content, role, path: path, name: "content"))
        if role == .assistant { message.phase = item["phase"]?.text.flatMap { ChatMessage.Phase(word: $0) } }
        return message
    }

    private mutating func pieces(
        _ content: JSONValue,
        _ role: ChatMessage.Role,
        path: ParameterPath,
        name: StaticString
    ) throws(APIError) -> [ChatMessage.Piece] {
        if let text = content.string { return [.text(text)] }
        guard let elements = content.elements else { throw .type(path(".\(name)"), "a string or an array") }
        var pieces: [ChatMessage.Piece] = []
        for (index, part) in elements.enumerated() {
            let path = path.part(index)
            if let piece = try readPart(part, role, path: path) ?? forgotten(part) {
                pieces.append(piece)
            } else {
                try list.attachments.add(try readMedium(part, path))
                pieces.append(.attachment(list.attachments.count - 1))
            }
        }
        return pieces
    }

    static let digest: StaticString = "sha256:"

    /// Returns a placeholder for an image or file without stored data; nil if the part has its data.
    private func forgotten(_ part: JSONValue) -> ChatMessage.Piece? {
        guard isHistory else { return nil }
        if part["image_url"]?.text?.hasPrefix(Self.digest) ?? false {
            return .text("[An image of an earlier turn that is no longer available]")
        }
        guard part["file_data"]?.text?.hasPrefix(Self.digest) ?? false else { return nil }
        return .text("[A file of an earlier turn that is no longer available: \(part["filename"]?.string ?? "file")]")
    }

    private mutating func reasoningBlock(
        _ item: JSONValue,
        _ path: ParameterPath
    ) throws(APIError) -> InputItem.Kind {
        func texts(of list: JSONValue?) -> String {
            (list?.elements ?? JSONElements()).reduce("") { $0 + ($1["text"]?.string ?? "") }
        }
        let content = texts(of: item["content"])
        let text = content.isEmpty ? texts(of: item["summary"]) : content
        // Reasoning of vendors with another API has no id but the relay's.
        let id = item["id"]?.text.flatMap { $0.isEmpty || ItemType.isMadeByRelay($0) ? nil : $0.text }
        var signature = try item.string("encrypted_content", path(""))
        let redacted = signature.flatMap(ReasoningBlock.redacted)
        var isOfServer = false
        if redacted != nil {
            signature = redacted
        } else if let sealed = signature,
            ReasoningBlock.isOfOpenAI(sealed) || id != nil && !ReasoningBlock.isMarked(sealed)
        {
            isOfServer = true
            signature = ReasoningBlock.marked(sealed, item["id"]?.string ?? "")
        }
        guard
            let block = ReasoningBlock(
                text,
                signature: signature,
                isSealed: redacted != nil || text.isEmpty && signature.map(ReasoningBlock.isMarked) ?? true,
                itemID: content.isEmpty ? nil : id
            )
        else { return .ignored }
        hasRelayIDs = hasRelayIDs || block.isMarked && !isOfServer
        return .reasoningBlock(block)
    }

    // MARK: Calls and their results

    private func functionCall(_ item: JSONValue, _ path: ParameterPath) throws(APIError) -> ToolCall {
        let space = try item.string("namespace", path(""))
        return ToolCall(
            id: try callID(item, path),
            name: ToolNames.offered(try text(item, "name", path: path), in: space),
            arguments: try text(item, "arguments", path: path)
        )
    }

    private func customCall(_ item: JSONValue, _ path: ParameterPath) throws(APIError) -> ToolCall {
        let space = try item.string("namespace", path(""))
        let arguments = ToolNames.arguments(ofInput: try text(item, "input", path: path))
        let name = ToolNames.offered(try text(item, "name", path: path), in: space)
        return ToolCall(id: try callID(item, path), name: name, arguments: arguments)
    }

    mutating func result(_ item: JSONValue, _ index: Int) throws(APIError) -> ChatMessage {
        let path = ParameterPath(message: index, in: .outputs)
        guard let output = item["output"] else { throw .missing(path(".output")) }
        var message = ChatMessage(role: .tool, content: try pieces(output, .tool, path: path, name: "output"))
        message.toolCallID = try callID(item, path)
        return message
    }

    func callID(_ item: JSONValue, _ path: ParameterPath) throws(APIError) -> String {
        try text(item, "call_id", path: path)
    }

    func text(_ item: JSONValue, _ name: StaticString, path: ParameterPath) throws(APIError) -> String {
        try item.requiredText(name, path("")).text
    }
}

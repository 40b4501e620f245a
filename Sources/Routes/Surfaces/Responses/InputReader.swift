import Calls
import Engine
import Shared

/// Reads `input`, and the items of stored responses.
struct InputReader {
    /// The part of items that is kept for later.
    enum Keeping {
        case nothing
        /// Digests in place of data.
        case digests
        case all
    }

    let keeping: Keeping
    /// The items are those of a stored response.
    let isHistory: Bool
    private(set) var list = ItemList()
    var tools: ToolReader
    private var keptBytes = 0

    init(keeping: Keeping, isHistory: Bool = false, _ tools: ToolReader = ToolReader()) {
        self.keeping = keeping
        self.isHistory = isHistory
        self.tools = tools
    }

    mutating func read(_ input: JSONValue) throws(APIError) {
        if let text = input.string {
            add(.message(ChatMessage(role: .user, text: text)), "input", nil, .message, keptText(input))
            return
        }
        guard let elements = input.elements else { throw .type("input", "a string or an array") }
        try read(elements)
    }

    mutating func read(_ elements: JSONElements) throws(APIError) {
        for (index, item) in elements.enumerated() {
            guard item.kind == .object else { throw .type("input[\(index)]", "an object") }
            try readItem(item, index)
        }
    }

    private mutating func readItem(_ item: JSONValue, _ index: Int) throws(APIError) {
        let place = MessagePlace(message: index, in: .input)
        let type = item.member("type")
        if let type, type.text == nil { throw .type(place(".type"), "a string") }
        let (kind, itemType): (InputItem.Kind, ItemType)
        switch type?.text {
        case nil, "message": (kind, itemType) = (.message(try message(item, place)), .message)
        case "function_call": (kind, itemType) = (.call(try functionCall(item, place)), .functionCall)
        case "custom_tool_call": (kind, itemType) = (.call(try customCall(item, place)), .customCall)
        case "function_call_output": (kind, itemType) = (.result(try result(item, index)), .functionOutput)
        case "reasoning": (kind, itemType) = (try thought(item, place), .reasoning)
        default: (kind, itemType) = (try other(item, place, index), .other)
        }
        if case .reference = kind { return add(kind, place(""), nil, .other, nil) }
        // A reference to a stored item has an id and nothing else, whatever its type is.
        add(kind, place(""), try id(item, place), itemType, kept(item, itemType))
        if item["type"]?.text == "mcp_call" { try addResult(ofRemote: item, place) }
    }

    private func id(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> String? {
        guard let id = item.member("id") else { return nil }
        guard let text = id.text else { throw .type(place(".id"), "a string") }
        guard text.count <= 256 else { throw .tooLong(place(".id"), text.count, limitBytes: 256) }
        return text.text
    }

    private mutating func add(
        _ kind: InputItem.Kind,
        _ param: String,
        _ id: String?,
        _ type: ItemType,
        _ members: Body?
    ) {
        keptBytes += members?.bytes.count ?? 0
        list.items.append(InputItem(kind: kind, param: param, id: id, type: type, members: members))
    }

    // MARK: Messages

    private mutating func message(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> ChatMessage {
        guard let name = item.member("role") else { throw .missing(place(item.has("type") ? ".role" : ".type")) }
        let role: ChatMessage.Role
        switch name.text {
        case "user": role = .user
        case "assistant": role = .assistant
        case "system": role = .system
        case "developer": role = .developer
        case nil: throw .type(place(".role"), "a string")
        default: throw .value(place(".role"), "must be user, assistant, system or developer")
        }
        guard let content = item.member("content") else { throw .missing(place(".content")) }
        return ChatMessage(role: role, content: try pieces(content, role, place, "content"))
    }

    private mutating func pieces(
        _ content: JSONValue,
        _ role: ChatMessage.Role,
        _ place: MessagePlace,
        _ name: StaticString
    ) throws(APIError) -> [ChatMessage.Piece] {
        if let text = content.string { return [.text(text)] }
        guard let elements = content.elements else { throw .type(place(".\(name)"), "a string or an array") }
        var pieces: [ChatMessage.Piece] = []
        for (index, part) in elements.enumerated() {
            let place = place.part(index)
            if let piece = try readPart(part, role, place) ?? forgotten(part) {
                pieces.append(piece)
            } else {
                try list.attachments.add(try readMedium(part, place))
                pieces.append(.attachment(list.attachments.count - 1))
            }
        }
        return pieces
    }

    private static let digest: StaticString = "sha256:"

    /// Words in place of data that a stored response no longer has.
    private func forgotten(_ part: JSONValue) -> ChatMessage.Piece? {
        guard isHistory else { return nil }
        if part["image_url"]?.text?.hasPrefix(Self.digest) ?? false {
            return .text("[A picture of an earlier turn, which is no longer at hand]")
        }
        guard part["file_data"]?.text?.hasPrefix(Self.digest) ?? false else { return nil }
        return .text("[A file of an earlier turn, which is no longer at hand: \(part["filename"]?.string ?? "file")]")
    }

    private func thought(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> InputItem.Kind {
        var text = ""
        for list in [item["content"], item["summary"]] where text.isEmpty {
            for part in list?.elements ?? JSONElements() { text += part["text"]?.string ?? "" }
        }
        let signature = try item.string("encrypted_content", place(""))
        return Thought(text, signature: signature, isSealed: text.isEmpty).map { .thought($0) } ?? .ignored
    }

    // MARK: Calls and their results

    private func functionCall(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> ToolCall {
        let space = try item.string("namespace", place(""))
        return ToolCall(
            id: try callID(item, place),
            name: ToolNames.offered(try text(item, "name", place), in: space),
            arguments: try text(item, "arguments", place)
        )
    }

    private func customCall(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> ToolCall {
        let space = try item.string("namespace", place(""))
        let arguments = ToolNames.arguments(ofInput: try text(item, "input", place))
        let name = ToolNames.offered(try text(item, "name", place), in: space)
        return ToolCall(id: try callID(item, place), name: name, arguments: arguments)
    }

    private mutating func result(_ item: JSONValue, _ index: Int) throws(APIError) -> ChatMessage {
        let place = MessagePlace(message: index, in: .outputs)
        guard let output = item.member("output") else { throw .missing(place(".output")) }
        var message = ChatMessage(role: .tool, content: try pieces(output, .tool, place, "output"))
        message.toolCallID = try callID(item, place)
        return message
    }

    private func callID(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> String {
        try text(item, "call_id", place)
    }

    private func text(_ item: JSONValue, _ name: StaticString, _ place: MessagePlace) throws(APIError) -> String {
        guard let value = item.member(name) else { throw .missing(place(".\(name)")) }
        guard let text = value.string else { throw .type(place(".\(name)"), "a string") }
        return text
    }

    // MARK: Rarer items

    private mutating func other(
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
        // The answer that follows tells what came of them.
        case "web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools": return .ignored
        default: throw .value(place(""), "this type of item is not offered here", code: "unsupported_value")
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

    /// The call of a tool that the relay does not offer, told as a function's.
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

    /// Some old items have one id for both.
    private func callOrItemID(_ item: JSONValue, _ place: MessagePlace) throws(APIError) -> String {
        item.member("call_id") == nil ? try text(item, "id", place) : try callID(item, place)
    }

    /// The item of a remote tool's call has the call's outcome as well.
    private mutating func addResult(ofRemote item: JSONValue, _ place: MessagePlace) throws(APIError) {
        guard let outcome = item.member("output") ?? item.member("error") else { return }
        var message = ChatMessage(role: .tool, text: outcome.string ?? outcome.body.text)
        message.toolCallID = try text(item, "id", place)
        add(.result(message), place(""), nil, .other, nil)
    }

    // MARK: Keeping

    private var keepsMore: Bool {
        switch keeping {
        case .nothing: false
        case .digests: keptBytes <= StoredResponse.limitBytes
        case .all: true
        }
    }

    /// The lone text of a user.
    private func keptText(_ text: JSONValue) -> Body? {
        guard keepsMore else { return nil }
        var kept = ByteBuffer(#""type":"message","status":"completed","role":"user","content":"#)
        Self.append(content: text, isOutput: false, nil, to: &kept)
        return Body(kept)
    }

    /// With all members that clients of lists count on.
    private func kept(_ item: JSONValue, _ type: ItemType) -> Body? {
        guard keepsMore, let members = item.members else { return nil }
        var replacement: JSONValue.Replacement?
        if case .digests = keeping { replacement = { Self.withoutData($0, $1) } }
        var kept = ByteBuffer()
        if item.member("type") == nil { kept.append(#""type":"message""#) }
        let needsStatus =
            switch type {
            case .message, .functionCall, .functionOutput: item.member("status") == nil
            case .customCall, .reasoning, .other: false
            }
        if needsStatus { kept.append(kept.isEmpty ? #""status":"completed""# : #","status":"completed""#) }
        let isOutput = item["role"]?.text == "assistant"
        for (name, value) in members where value.kind != .null && !name.equals("id") {
            if !kept.isEmpty { kept.append(",") }
            kept.append(json: name)
            kept.append(":")
            if type == .message, name.equals("content") {
                Self.append(content: value, isOutput: isOutput, replacement, to: &kept)
            } else {
                value.append(to: &kept, replacing: replacement)
            }
        }
        return Body(kept)
    }

    /// A text becomes a list with one part.
    private static func append(
        content: JSONValue,
        isOutput: Bool,
        _ replacement: JSONValue.Replacement?,
        to kept: inout ByteBuffer
    ) {
        guard content.kind == .string else { return content.append(to: &kept, replacing: replacement) }
        kept.append(isOutput ? #"[{"type":"output_text","text":"# : #"[{"type":"input_text","text":"#)
        content.append(to: &kept)
        kept.append(isOutput ? #","annotations":[],"logprobs":[]}]"# : "}]")
    }

    private static func withoutData(
        _ name: UnsafeRawBufferPointer,
        _ text: UnsafeRawBufferPointer
    ) -> String? {
        let isPicture = (name.equals("image_url") || name.equals("url")) && DataURL(text) != nil
        guard isPicture || name.equals("file_data") || name.equals("data") else { return nil }
        return "\(digest)\(Digest(of: text).base64url(characters: 43))"
    }
}

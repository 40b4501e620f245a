import Engine
import Shared

/// A writer that makes a request to the Responses API from a parsed chat call. The request asks the vendor to store
/// nothing.
struct ResponsesRequest: ~Copyable {
    private let call: ChatCall
    private let chatOptions: ChatOptions
    private let own: OwnParts?
    private let model: String
    private let isOpenAI: Bool
    private var out = ByteBuffer()
    private var isFirst = true
    /// The assistant's reasoning that is not written yet. It is written when the assistant's next text or tool call
    /// follows.
    private var waiting: [ReasoningBlock] = []
    /// Whether a message of the user or the assistant has been written.
    private var hasTurns = false

    static let searchOptions: Set<SearchOption.Kind> = [.allowedDomains, .contextSize, .location, .maxUses]

    /// The smallest token limit that the Responses API accepts.
    static let minTokens = 16

    /// - Parameter isOpenAI: whether the server is OpenAI's or Azure's, which do not know the reasoning of others.
    init(_ call: ChatCall, model: String, isOpenAI: Bool = false) {
        self.call = call
        self.isOpenAI = isOpenAI
        chatOptions = call.chatOptions
        own = chatOptions.own?.value
        self.model = model
    }

    consuming func written() -> Body {
        _ = out.reserve(512 + call.sentBytes + 48 * call.messages.count)
        out.append(#"{"model":"#, json: model, #","input":["#)
        for message in call.messages.withIDsOfFunctions.withResultInPlaceForEachCall { append(message) }
        if call.needs.contains(.compaction) {
            open()
            out.append(#"{"type":"compaction_trigger"}"#)
        }
        out.append(#"],"store":false,"include":["reasoning.encrypted_content""#)
        if let words = own?.include { out.append(words.bytes) }
        out.append("]")
        appendTools()
        appendText()
        appendReasoning()
        if let temperature = chatOptions.sampling.temperature { out.append("temperature", temperature) }
        if let topP = chatOptions.sampling.topP { out.append("top_p", topP) }
        if let most = call.maxTokens { out.append("max_output_tokens", max(most, Self.minTokens)) }
        // The search is the only tool of the vendor's own in a request that limits its searches.
        if let most = call.maxSearches, call.sendsSearch { out.append("max_tool_calls", most) }
        out.append(chatOptions.bookkeeping)
        // A request of this API has the field among its own.
        if chatOptions.bookkeeping.wantsLongCache, !chatOptions.reasoning.isOfResponses {
            out.append("prompt_cache_retention", "24h")
        }
        if call.isStreamed { out.append("stream", true) }
        if let fields = own?.fields { out.append(fields.bytes) }
        out.append("}")
        return Body(out)
    }

    // MARK: Items

    private mutating func open() {
        if !isFirst { out.append(",") }
        isFirst = false
    }

    private mutating func append(_ message: ChatMessage) {
        if message.role != .assistant { waiting.removeAll() }
        hasTurns = hasTurns || !message.isInstruction
        switch message.role {
        case .system: appendMessage(hasTurns ? "developer" : "system", message)
        case .developer: appendMessage("developer", message)
        case .user:
            guard let item = message.content.first?.reasoning?.item else {
                return appendMessage("user", message)
            }
            open()
            out.append(item.bytes)
        case .assistant: appendTurn(message)
        case .tool, .function: appendResult(message)
        case .failedTool:
            var reported = message
            reported.content.markAsFailed()
            appendResult(reported)
        }
    }

    private mutating func appendMessage(_ role: StaticString, _ message: ChatMessage) {
        open()
        out.append(#"{"role":""#, role, #"","content":"#)
        appendContent(of: message)
        out.append("}")
    }

    private mutating func appendContent(of message: ChatMessage) {
        guard message.content.contains(where: \.isAttachment) else { return out.append(json: message.text) }
        let pieces = message.content.filter { $0.reasoning == nil }
        out.append(array: pieces) { piece, out in
            switch piece {
            case .text(let text), .refusal(let text): Self.appendPart(text, to: &out)
            case .attachment(let attachmentIndex): Self.append(call.attachments[attachmentIndex], to: &out)
            case .reasoningBlock: break
            }
        }
    }

    private static func appendPart(_ text: String, to out: inout ByteBuffer) {
        out.append(#"{"type":"input_text","text":"#, json: text, "}")
    }

    /// Appends an assistant message as separate items for reasoning, text and tool calls, in the message's order.
    private mutating func appendTurn(_ message: ChatMessage) {
        var text = ByteBuffer()
        var next = 0
        let hadWaiting = !waiting.isEmpty
        for (index, piece) in message.content.enumerated() {
            appendCalls(of: message, upTo: index, &next, after: &text)
            switch piece {
            case .text(let piece), .refusal(let piece): text.append(line: piece)
            case .reasoningBlock(let reasoningBlock):
                appendText(&text, of: message)
                if let item = reasoningBlock.item {
                    appendWaiting()
                    open()
                    out.append(item.bytes)
                } else if reasoningBlock.isCompaction {
                    append(compaction: reasoningBlock)
                } else {
                    waiting.append(reasoningBlock)
                }
            case .attachment: break
            }
        }
        appendCalls(of: message, upTo: .max, &next, after: &text)
        appendText(&text, of: message)
        let isSilent = message.toolCalls.isEmpty && message.text.isEmpty
        if isSilent, !hadWaiting, waiting.isEmpty, !message.hasOwnItem { appendMessage("assistant", message) }
    }

    /// Appends the tool calls that come before the piece with this index, after the text that precedes them.
    private mutating func appendCalls(
        of message: ChatMessage,
        upTo index: Int,
        _ next: inout Int,
        after text: inout ByteBuffer
    ) {
        while next < message.toolCalls.count, message.toolCalls[next].contentBefore <= index {
            appendText(&text, of: message)
            append(message.toolCalls[next])
            next += 1
        }
    }

    private mutating func append(_ call: ToolCall) {
        appendWaiting()
        open()
        out.append(#"{"type":"function_call","call_id":"#, json: call.id ?? "")
        out.append("name", call.name)
        out.append("arguments", call.arguments)
        out.append("}")
    }

    /// Appends and clears a text of an assistant message. Does nothing if the text is empty.
    private mutating func appendText(_ text: inout ByteBuffer, of message: ChatMessage) {
        guard !text.isEmpty else { return }
        appendWaiting()
        open()
        out.append(#"{"role":"assistant","content":"#, json: text.bytes)
        if let phase = message.phase { out.append(#","phase":""#, phase.rawValue, "\"") }
        out.append("}")
        text.removeAll()
    }

    private mutating func appendWaiting() {
        for reasoningBlock in waiting { append(reasoningBlock) }
        waiting.removeAll()
    }

    /// Appends reasoning that comes from the Responses API. Ignores all other reasoning.
    private mutating func append(_ reasoningBlock: ReasoningBlock) {
        guard let signature = reasoningBlock.signature else { return append(plain: reasoningBlock) }
        guard let (id, content) = SealedReasoning.parts(of: signature),
            !isOpenAI || ReasoningBlock.isOfOpenAI(content)
        else { return }
        open()
        out.append(#"{"type":"reasoning""#)
        // Some clients leave the id out.
        if !id.hasSameBytes(as: ReasoningBlock.markOfResponses) { out.append("id", id) }
        out.append(#","summary":["#)
        if !reasoningBlock.text.isEmpty {
            out.append(#"{"type":"summary_text","text":"#, json: reasoningBlock.text, "}")
        }
        out.append(#"],"encrypted_content":"#, json: content, "}")
    }

    /// Appends reasoning that its server does not encrypt.
    private mutating func append(plain reasoningBlock: ReasoningBlock) {
        guard let id = reasoningBlock.itemID, !isOpenAI else { return }
        open()
        out.append(#"{"type":"reasoning","id":"#, json: id)
        out.append(#","summary":[],"content":[{"type":"reasoning_text","text":"#, json: reasoningBlock.text, "}]}")
    }

    /// Appends a compacted conversation that the vendor has encrypted, in the place of the messages before it.
    private mutating func append(compaction: ReasoningBlock) {
        guard let (id, content) = compaction.compactionParts else { return }
        open()
        out.append(#"{"type":"compaction""#)
        if !id.isEmpty { out.append("id", id) }
        out.append(#","encrypted_content":"#, json: content, "}")
    }

    /// Appends a tool call's result, or a user message if the call's id is unknown.
    private mutating func appendResult(_ message: ChatMessage) {
        guard let id = message.toolCallID else { return appendMessage("user", message) }
        open()
        out.append(#"{"type":"function_call_output","call_id":"#, json: id)
        out.append(member: "output")
        appendContent(of: message)
        out.append("}")
    }

    private static func append(_ part: Attachment, to out: inout ByteBuffer) {
        switch (part.kind, part.source) {
        case (_, .words(let text)), (_, .file(let text)): return appendPart(text, to: &out)
        case (let kind, .kept(let id)):
            out.append(kind == .image ? #"{"type":"input_image""# : #"{"type":"input_file""#)
            out.append("file_id", id)
            if kind == .image { out.append("detail", part.detail?.rawValue ?? "auto") }
        case (.image, .address(let address)):
            out.append(#"{"type":"input_image""#)
            out.append("image_url", address)
            out.append("detail", part.detail?.rawValue ?? "auto")
        case (.image, .data(let text)):
            out.append(#"{"type":"input_image","image_url":""#)
            out.append(dataURL: text, "image/png")
            out.append("\"")
            out.append("detail", part.detail?.rawValue ?? "auto")
        case (_, .data(let text)):
            out.append(#"{"type":"input_file""#)
            out.append("filename", part.fileName(of: text))
            out.append(#","file_data":""#)
            out.append(dataURL: text, "application/pdf")
            out.append("\"")
        case (_, .address(let address)):
            out.append(#"{"type":"input_file""#)
            out.append("file_url", address)
        }
        out.append("}")
    }

    // MARK: Tools and formats

    private mutating func appendTools() {
        var unknown = (own?.tools ?? [])[...]
        guard !chatOptions.tools.isEmpty || !unknown.isEmpty || call.sendsSearch else { return }
        out.append(#","tools":["#)
        isFirst = true
        for (index, tool) in chatOptions.tools.enumerated() {
            append(&unknown, before: index)
            open()
            out.append(#"{"type":"function""#)
            out.append("name", tool.name)
            if let description = tool.description { out.append("description", description) }
            if let schema = tool.schema {
                out.append(member: "parameters")
                CompleteSchema.append(RawJSON(schema.bytes), to: &out)
            } else {
                // The field is required.
                out.append(#","parameters":null"#)
            }
            // Tools are strict by default in this API only.
            let isStrict = chatOptions.strict(tool.isStrict, tool.schema)
            if let isStrict = isStrict ?? (chatOptions.reasoning.isOfResponses ? nil : false) {
                out.append("strict", isStrict)
            }
            out.append("}")
        }
        append(&unknown, before: .max)
        if call.sendsSearch {
            open()
            out.append(#"{"type":"web_search""#)
            for option in chatOptions.searchOptions {
                switch option.kind {
                case .allowedDomains: out.append(#","filters":{"allowed_domains":"#, option.value.bytes, "}")
                case .contextSize: out.append("search_context_size", option.value)
                case .location: out.append(location: option.value)
                case .blockedDomains, .extent, .maxUses: break
                }
            }
            out.append("}")
        }
        out.append("]")
        appendChoice()
        let isLegacy = !chatOptions.tools.isEmpty && chatOptions.tools.allSatisfy(\.isLegacy)
        if let parallel = isLegacy ? false : chatOptions.parallelToolCalls {
            out.append("parallel_tool_calls", parallel)
        }
    }

    /// Appends the unknown tools that come before the known tool with this index.
    private mutating func append(_ unknown: inout ArraySlice<OwnParts.Tool>, before index: Int) {
        while let next = unknown.first, next.toolsBefore <= index {
            unknown.removeFirst()
            open()
            out.append(next.json.bytes)
        }
    }

    private mutating func appendChoice() {
        if let choice = own?.toolChoice { return out.append("tool_choice", choice) }
        guard !chatOptions.tools.isEmpty || own?.tools.isEmpty == false else { return }
        if call.needs.contains(.searchOptions) {
            let choice: StaticString = #"{"type":"allowed_tools","mode":"required","tools":[{"type":"web_search"}]}"#
            out.append(member: "tool_choice")
            return out.append(choice)
        }
        switch chatOptions.toolChoice {
        case .auto: break
        case .none: out.append("tool_choice", "none")
        case .required: out.append("tool_choice", "required")
        case .named(let name):
            out.append(#","tool_choice":{"type":"function","name":"#, json: name, "}")
        }
    }

    private mutating func appendText() {
        var text = ByteBuffer()
        switch chatOptions.format {
        case .text: break
        case .object: text.append(#","format":{"type":"json_object"}"#)
        case .schema(let name, let schema, let isStrict):
            text.append(#","format":{"type":"json_schema""#)
            text.append("name", name)
            if let schema { text.append("schema", schema) }
            if let isStrict = chatOptions.strict(isStrict, schema) { text.append("strict", isStrict) }
            text.append("}")
        }
        if let verbosity = chatOptions.reasoning.verbosity { text.append("verbosity", verbosity) }
        if let fields = own?.text { text.append(fields.bytes) }
        appendObject("text", text)
    }

    /// Appends an object. Does nothing if the object has no members.
    /// - Parameter members: the object's members, each after a comma.
    private mutating func appendObject(_ name: StaticString, _ members: borrowing ByteBuffer) {
        guard !members.isEmpty else { return }
        out.append(member: name)
        out.append("{")
        out.append(members.bytes[part: 1..<members.count])
        out.append("}")
    }

    // MARK: The rest

    private mutating func appendReasoning() {
        var reasoning = ByteBuffer()
        var summary = chatOptions.reasoning.summary
        if let effort = chatOptions.reasoning.plainEffort {
            reasoning.append("effort", effort)
            let isShown = !effort.hasSameBytes(as: "none") && chatOptions.reasoning.display != .omitted
            if isShown { summary = summary ?? "auto" }
        }
        if let summary { reasoning.append("summary", summary) }
        if let fields = own?.reasoning { reasoning.append(fields.bytes) }
        appendObject("reasoning", reasoning)
    }
}

extension ChatMessage {
    fileprivate var hasOwnItem: Bool {
        content.contains { piece in piece.reasoning.map { $0.isCompaction || $0.item != nil } ?? false }
    }
}

/// Functions that join a reasoning item's id and encrypted content to one signature, and split it again.
enum SealedReasoning {
    static func parts(of signature: String) -> (id: String, content: String)? {
        let bytes = signature.utf8
        guard bytes.starts(with: ReasoningBlock.markOfResponses.utf8), let dot = bytes.firstIndex(of: UInt8(ascii: "."))
        else {
            return nil
        }
        let content = bytes[bytes.index(after: dot)...]
        guard !content.isEmpty, bytes.distance(from: bytes.startIndex, to: dot) <= 200 else { return nil }
        return (String(signature[..<dot]), String(Substring(content)))
    }

    static func append(_ id: UnsafeRawBufferPointer, _ content: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        if !id.hasPrefix("rs_") { out.append("rs_") }
        out.append(id)
        out.append(".")
        out.append(content)
    }
}

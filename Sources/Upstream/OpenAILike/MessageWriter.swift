import Engine
import Shared

/// A writer for messages in OpenAI's chat format.
struct MessageWriter {
    private let attachments: [Attachment]
    private let wantsReasoning: Bool
    private let signatures: CallSignatures?
    private var isFirst = true
    /// The attachments of the last tool results. A user message after the results will contain them.
    private var moved: [ChatMessage.Piece] = []
    /// Whether one of the messages so far contains tool calls.
    private var hasCalls = false

    /// - Parameters:
    ///   - wantsReasoning: whether the reasoning before tool calls is written.
    ///   - signatures: the signatures of tool calls that the server gets back; nil if there are none.
    init(_ attachments: [Attachment], wantsReasoning: Bool, _ signatures: CallSignatures? = nil) {
        self.signatures = signatures
        self.attachments = attachments
        self.wantsReasoning = wantsReasoning
    }

    mutating func append(_ messages: [ChatMessage], to out: inout ByteBuffer) {
        for message in messages.withResultForEachCall {
            if !message.isResult { appendMoved(to: &out) }
            append(message, to: &out)
        }
        appendMoved(to: &out)
    }

    private mutating func appendMoved(to out: inout ByteBuffer) {
        guard !moved.isEmpty else { return }
        out.open(message: "user", &isFirst)
        out.append(#","content":"#)
        append(moved, to: &out)
        out.append("}")
        moved = []
    }

    private mutating func append(_ message: ChatMessage, to out: inout ByteBuffer) {
        hasCalls = hasCalls || !message.toolCalls.isEmpty
        let isPlain = message.isResult && message.toolCallID == nil && !(message.role == .function && hasCalls)
        out.open(message: isPlain ? "user" : message.role.wireName, &isFirst)
        if let name = message.name, !isPlain { out.append(#","name":"#, json: name) }
        if let id = message.toolCallID { out.append(#","tool_call_id":"#, json: id) }
        appendContent(of: message, to: &out)
        if wantsReasoning, !message.toolCalls.isEmpty { append(reasoningBlock: message.plainReasoning, to: &out) }
        if let id = message.toolCalls.first?.id, let details = signatures?.details(ofCall: id) {
            out.append(#","reasoning_details":"#)
            out.append(details.bytes)
        }
        append(message.toolCalls, to: &out)
        out.append("}")
    }

    private func append(reasoningBlock: String, to out: inout ByteBuffer) {
        guard !reasoningBlock.isEmpty else { return }
        out.append(#","reasoning_content":"#, json: reasoningBlock)
    }

    private mutating func appendContent(of message: ChatMessage, to out: inout ByteBuffer) {
        // Reasoning is not content: the few servers that accept it have a field of its own.
        var pieces = message.content.filter { $0.reasoning == nil }
        if message.role != .user {
            if message.isResult {
                var result = message
                moved += result.takeAttachments(ofCall: message.toolCallID ?? message.name ?? "a tool")
                pieces = result.content
            }
            pieces.removeAll(where: \.isAttachment)
            if message.role == .failedTool { pieces.markAsFailed() }
        }
        if pieces.isEmpty {
            // Content may be absent if there are tool calls.
            if message.toolCalls.isEmpty { out.append(#","content":"""#) }
            return
        }
        out.append(#","content":"#)
        if pieces.count == 1, case .text(let text) = pieces[0] { return out.append(json: text) }
        append(pieces, to: &out)
    }

    private func append(_ pieces: [ChatMessage.Piece], to out: inout ByteBuffer) {
        out.append(array: pieces) { piece, out in
            switch piece {
            case .text(let text):
                out.append(#"{"type":"text","text":"#, json: text, "}")
            case .refusal(let text):
                out.append(#"{"type":"refusal","refusal":"#, json: text, "}")
            case .attachment(let index): append(attachments[index], to: &out)
            case .reasoningBlock: break
            }
        }
    }

    private func append(_ calls: [ToolCall], to out: inout ByteBuffer) {
        if let call = calls.first, call.id == nil {
            out.append(#","function_call":"#)
            append(function: call, to: &out)
            return
        }
        for (index, call) in calls.enumerated() {
            out.append(index == 0 ? #","tool_calls":[{"id":"# : #",{"id":"#, json: call.id ?? "")
            out.append(#","type":"function","function":"#)
            append(function: call, to: &out)
            if let signature = signatures?.signature(of: call, isFirst: index == 0) {
                out.append(#","extra_content":{"google":{"thought_signature":"#, json: signature, "}}")
            }
            out.append("}")
        }
        if !calls.isEmpty { out.append("]") }
    }

    private func append(function call: ToolCall, to out: inout ByteBuffer) {
        out.append(#"{"name":"#, json: call.name)
        out.append(#","arguments":"#, json: call.arguments, "}")
    }

    // MARK: Parts that are not text

    private func append(_ part: Attachment, to out: inout ByteBuffer) {
        switch (part.kind, part.source) {
        // Documents have no URLs in this API, so that the relay has downloaded them.
        case (_, .words(let text)), (_, .file(let text)), (.file, .address(let text)), (.audio, .address(let text)):
            out.append(#"{"type":"text","text":"#, json: text)
        case (_, .kept(let id)):
            out.append(#"{"type":"file","file":{"file_id":"#, json: id, "}")
        case (.image, .address(let address)):
            out.append(#"{"type":"image_url","image_url":{"url":"#, json: address)
            appendDetail(of: part, to: &out)
            out.append("}")
        case (.image, .data(let text)):
            out.append(#"{"type":"image_url","image_url":{"url":""#)
            out.append(dataURL: text, "image/png")
            out.append("\"")
            appendDetail(of: part, to: &out)
            out.append("}")
        case (.audio, .data(let text)):
            out.append(#"{"type":"input_audio","input_audio":{"data":""#)
            out.append(jsonContent: text.base64.bytes)
            out.append(#"","format":""#)
            out.append(text.contentType == .wav ? "wav" : "mp3")
            out.append("\"}")
        case (.file, .data(let text)):
            out.append(#"{"type":"file","file":{"filename":"#, json: part.fileName(of: text), #","file_data":""#)
            out.append(dataURL: text, "application/pdf")
            out.append("\"}")
        }
        out.append("}")
    }

    private func appendDetail(of part: Attachment, to out: inout ByteBuffer) {
        // Only the Responses API has `original`.
        if let detail = part.detail { out.append("detail", detail == .original ? "high" : detail.rawValue) }
    }
}

/// The signatures of tool calls that a server sent and wants back, as Gemini's models do.
struct CallSignatures {
    private let memory: CallerReasoning?
    /// Whether the server is Google's, which refuses a turn whose first tool call has no signature.
    private let isGoogle: Bool

    init(_ memory: CallerReasoning?, isGoogle: Bool) { (self.memory, self.isGoogle) = (memory, isGoogle) }

    /// Returns the `reasoning_details` of the response whose first tool call has this id; nil if none are remembered.
    func details(ofCall id: String) -> Body? { memory?.part(.details, ofCall: id) }

    func signature(of call: ToolCall, isFirst: Bool) -> String? {
        if isGoogle, let own = call.signature { return own }
        return call.id.flatMap { memory?.part(.signature, ofCall: $0)?.bytes.text }
            ?? (isGoogle && isFirst ? MessageRewriter.uncheckedSignature : nil)
    }
}

extension Attachment {
    /// Returns the name of a file with this content. OpenAI refuses a file whose name does not end in that of its type.
    func fileName(of content: Base64Text) -> String {
        let (name, type) = (name ?? "file", content.contentType ?? .pdf)
        let isNamed =
            type == .pdf
            ? name.utf8.suffix(4).map { $0 | 32 } == Array(".pdf".utf8) : name.utf8.contains(UInt8(ascii: "."))
        return isNamed ? name : "\(name).\(type.fileExtension)"
    }
}

extension ChatMessage.Role {
    fileprivate var wireName: StaticString {
        switch self {
        case .system, .developer: "system"
        case .user: "user"
        case .assistant: "assistant"
        case .tool, .failedTool: "tool"
        case .function: "function"
        }
    }
}

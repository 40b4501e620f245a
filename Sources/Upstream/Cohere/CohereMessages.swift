import Engine
import Shared

/// Writes messages in the form that Cohere accepts.
struct CohereMessages: ~Copyable {
    private let messages: [ChatMessage]
    private let attachments: [Attachment]
    private(set) var names: VendorNameMap
    private var ids = VendorNameMap()
    /// The indexes in `messages` of the tool results. The key is the tool call's index among all tool calls.
    private let results: [Int: Int]
    private var calls = 0
    private var isFirst = true
    private let parser = JSONParser()

    init(_ call: borrowing ChatCall, _ names: VendorNameMap) {
        var messages = call.messages.withReminders
        for index in messages.indices where messages[index].role == .failedTool {
            messages[index].content.markAsFailed()
        }
        self.messages = messages
        attachments = call.attachments
        results = Self.results(in: messages)
        self.names = names
    }

    /// Finds the message with the result of each tool call. Returns the indexes of these messages; the key is the tool
    /// call's index among all tool calls of the conversation.
    private static func results(in messages: [ChatMessage]) -> [Int: Int] {
        var waiting: [[UInt8]: (turn: Int, calls: ArraySlice<Int>)] = [:]
        var results: [Int: Int] = [:]
        var calls = 0
        var turn = 0
        for (index, message) in messages.enumerated() {
            if message.role == .user || message.isResult { turn = index }
            for call in message.toolCalls {
                let key = ToolCall.key(id: call.id, name: call.name)
                if waiting[key]?.turn != turn { waiting[key] = (turn, []) }
                waiting[key]?.calls.append(calls)
                calls += 1
            }
            guard message.isResult else { continue }
            let key = ToolCall.key(id: message.toolCallID, name: message.name ?? "")
            if let call = waiting[key]?.calls.popFirst() { results[call] = index }
        }
        return results
    }

    mutating func append(instruction: String, to out: inout ByteBuffer) {
        out.open(message: "system", &isFirst)
        out.append("content", instruction)
        out.append("}")
    }

    /// Appends all messages. Each tool result follows the message with the tool call.
    mutating func append(to out: inout ByteBuffer) {
        let responses = Set(results.values)
        for index in messages.indices where !responses.contains(index) { append(messages[index], to: &out) }
    }

    // MARK: Messages

    private mutating func append(_ message: ChatMessage, to out: inout ByteBuffer) {
        switch message.role {
        case .system, .developer:
            let text = message.text
            guard !text.isEmpty else { return }
            append(instruction: text, to: &out)
        case .assistant:
            out.open(message: "assistant", &isFirst)
            // Cohere does not accept reasoning in a request.
            let text = message.text
            if !text.isEmpty || message.toolCalls.isEmpty { out.append("content", text.isEmpty ? "." : text) }
            let ids = append(message.toolCalls, to: &out)
            out.append("}")
            appendResults(of: ids, to: &out)
        // Results without a tool call are written as messages of the user.
        default:
            out.open(message: "user", &isFirst)
            appendContent(message.content, to: &out)
            out.append("}")
        }
    }

    /// Appends the member `content` of a message: a string for only one text, otherwise a list.
    private func appendContent(_ content: [ChatMessage.Piece], to out: inout ByteBuffer) {
        var parts = ByteBuffer()
        for piece in content {
            switch piece {
            case .text(let text), .refusal(let text): append(text: text, to: &parts)
            case .attachment(let index): append(attachments[index], to: &parts)
            case .reasoningBlock: break
            }
        }
        out.append(member: "content")
        if content.count == 1, case .text(let text) = content[0], !text.isEmpty { return out.append(json: text) }
        if parts.isEmpty { return out.append(#"".""#) }
        out.append("[", parts.bytes, "]")
    }

    /// Appends a text part to a list of parts. Appends nothing if the text is empty.
    private func append(text: String, to parts: inout ByteBuffer) {
        guard !text.isEmpty else { return }
        parts.append(parts.isEmpty ? #"{"type":"text","text":"# : #",{"type":"text","text":"#, json: text, "}")
    }

    // MARK: Calls and results

    /// Appends the tool calls of one message. Returns the ids of the tool calls, as they are sent to Cohere.
    private mutating func append(_ calls: [ToolCall], to out: inout ByteBuffer) -> [[UInt8]] {
        var written: [[UInt8]] = []
        for (index, call) in calls.enumerated() {
            let id = ids.once(call.id.map { Array($0.utf8) } ?? Array("call".utf8))
            written.append(id)
            out.append(index == 0 ? #","tool_calls":[{"id":"# : #",{"id":"#, json: id)
            out.append(#","type":"function","function":{"name":"#, json: names.name(call.name), #","arguments":"#)
            var arguments = ByteBuffer()
            arguments.append(object: call.arguments, or: "_raw", parser)
            out.append(json: arguments.bytes)
            out.append("}}")
        }
        if !calls.isEmpty { out.append("]") }
        return written
    }

    /// Appends one result message for each tool call. Images in the results follow as one user message.
    private mutating func appendResults(of ids: [[UInt8]], to out: inout ByteBuffer) {
        var images: [ChatMessage.Piece] = []
        for id in ids {
            let index = results[calls]
            calls += 1
            out.open(message: "tool", &isFirst)
            out.append(member: "tool_call_id")
            out.append(json: id)
            var message = index.map { messages[$0] }
            images += message?.takeAttachments(ofCall: String(decoding: id, as: UTF8.self)) ?? []
            let text = message?.text ?? "No result."
            out.append("content", text.isEmpty ? "." : text)
            out.append("}")
        }
        guard !images.isEmpty else { return }
        out.open(message: "user", &isFirst)
        appendContent(images, to: &out)
        out.append("}")
    }

    // MARK: Attachments

    private func append(_ part: Attachment, to parts: inout ByteBuffer) {
        switch (part.kind, part.source) {
        case (.image, .data(let text)):
            if !parts.isEmpty { parts.append(",") }
            parts.append(#"{"type":"image_url","image_url":{"url":""#)
            parts.append(dataURL: text, "image/png")
            parts.append(part.detail == .low ? #"","detail":"low"}}"# : #""}}"#)
        case (_, .data(let text)):
            append(text: String(decoding: Base64.standard.bytes(text.base64.bytes) ?? [], as: UTF8.self), to: &parts)
        case (_, .words(let text)), (_, .kept(let text)), (_, .file(let text)), (_, .address(let text)):
            append(text: text, to: &parts)
        }
    }
}

import Engine

/// Writes a conversation as one text, because 1min.ai supports neither roles nor tools.
enum OneMinPrompt {
    /// Appends the conversation's text, escaped for a JSON string but without quotation marks.
    static func append(_ call: ChatCall, to body: inout ByteBuffer) {
        // Read in place: a loop over the array, its subscript and that of its span would copy each message.
        call.messages.withReminders.withUnsafeBufferPointer { append($0, call.attachments, to: &body) }
    }

    private static func append(
        _ messages: UnsafeBufferPointer<ChatMessage>,
        _ attachments: [Attachment],
        to body: inout ByteBuffer
    ) {
        // The text of a first message of the user has no label, so that later prompts of the conversation begin with it.
        var isPlain = false
        if !messages.isEmpty, messages[0].role == .user {
            let text = Turn(messages[0], attachments)
            isPlain = text.hasWords
            if isPlain, messages.count == 1 { return text.append(to: &body) }
        }
        var hasInstructions = false
        for index in messages.indices where messages[index].role.isInstruction {
            body.append(hasInstructions ? #"\n\n"# : #"Instructions:\n"#)
            Turn(messages[index], attachments).append(to: &body)
            hasInstructions = true
        }
        if hasInstructions { body.append(#"\n\n"#) }
        var last: ChatMessage.Role?
        for index in messages.indices
        where !messages[index].role.isInstruction && !messages[index].isReasoningOnly {
            if !isPlain || index > 0 { body.append(label(messages[index].role)) }
            Turn(messages[index], attachments).append(to: &body)
            body.append(#"\n\n"#)
            last = messages[index].role
        }
        body.append(
            last == .assistant
                ? "(Continue the assistant's last message where it ends.)"
                : "(Answer as the assistant, without a label.)"
        )
    }

    private static func label(_ role: ChatMessage.Role) -> StaticString {
        switch role {
        case .system, .developer: "System: "
        case .user: "User: "
        case .assistant: "Assistant: "
        case .tool, .function: "Tool result: "
        case .failedTool: "Tool error: "
        }
    }
}

/// The text of one message, with a line such as `[Image 1]` for an attachment.
private struct Turn {
    private let text: String

    init(_ message: borrowing ChatMessage, _ attachments: [Attachment]) {
        if message.content.count == 1, case .text(let text) = message.content[0], message.toolCalls.isEmpty,
            message.toolCallID == nil
        {
            self.text = text
        } else {
            text = Self.written(message, attachments)
        }
    }

    var hasWords: Bool { text.utf8.contains { $0 > 32 } }

    func append(to body: inout ByteBuffer) { body.append(jsonContent: text) }

    private static func written(_ message: borrowing ChatMessage, _ attachments: [Attachment]) -> String {
        var out = ByteBuffer()
        var isAfterLine = false
        var isAfterText = false
        if let id = message.toolCallID { out.append("[\(id)] ") }
        for piece in message.content {
            switch piece {
            case .text(let text), .refusal(let text):
                guard let first = text.utf8.first else { continue }
                if isAfterLine || isAfterText && out.bytes.last != 10, first != 10 { out.append(10 as UInt8) }
                (isAfterLine, isAfterText) = (false, true)
                out.append(text)
            case .attachment(let index):
                let line = attachments.line(index)
                guard !line.isEmpty else { continue }
                if isAfterLine || out.bytes.last.map({ $0 != 10 }) ?? false { out.append(10 as UInt8) }
                out.append(line)
                isAfterLine = true
            case .reasoningBlock: break
            }
        }
        for call in message.toolCalls {
            let label = call.id.map { " [\($0)]" } ?? ""
            out.append("\nCalled \(call.name)\(label) with \(call.arguments)")
        }
        return out.text
    }
}

extension [Attachment] {
    /// Returns the prompt's line for an attachment; empty if the prompt does not mention the attachment.
    fileprivate func line(_ index: Int) -> String {
        let one = self[index]
        switch one.source {
        case .words(let text): return text
        case .kept where one.kind == .image: return "[Image \(number(index))]"
        case .kept: return "[File \(number(index)): \(one.name ?? "file")]"
        case .data, .address, .file: return ""
        }
    }

    /// Returns an uploaded attachment's number within its kind, such as 2 for the second uploaded image.
    private func number(_ index: Int) -> Int {
        self[...index].count { one in
            if one.kind == self[index].kind, case .kept = one.source { true } else { false }
        }
    }
}

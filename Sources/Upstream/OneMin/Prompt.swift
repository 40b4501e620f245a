import Engine

/// A conversation as one text, since the vendor knows neither roles nor turns: instructions first, then the turns with
/// labels. A lone text of the user goes as it is.
enum Prompt {
    /// Appends the text as the inside of a JSON string.
    static func append(_ messages: [ChatMessage], to body: inout ByteBuffer) {
        if messages.count == 1, messages[0].role == .user, messages[0].text.utf8.contains(where: { $0 > 32 }) {
            return append(messages[0].text, to: &body)
        }
        var hasInstructions = false
        for message in messages where message.role == .system {
            body.append(hasInstructions ? #"\n\n"# : #"Instructions:\n"#)
            append(message.text, to: &body)
            hasInstructions = true
        }
        if hasInstructions { body.append(#"\n\n"#) }
        var last: ChatMessage.Role?
        for message in messages where message.role != .system {
            body.append(label(message.role))
            append(message.text, to: &body)
            body.append(#"\n\n"#)
            last = message.role
        }
        body.append(
            last == .assistant
                ? "(Continue the assistant's last message where it ends.)"
                : "(Answer as the assistant, without a label.)"
        )
    }

    private static func append(_ text: String, to body: inout ByteBuffer) {
        var text = text
        text.withUTF8 { body.append(jsonContent: UnsafeRawBufferPointer($0)) }
    }

    private static func label(_ role: ChatMessage.Role) -> StaticString {
        switch role {
        case .system: "System: "
        case .user: "User: "
        case .assistant: "Assistant: "
        case .tool: "Tool result: "
        }
    }
}

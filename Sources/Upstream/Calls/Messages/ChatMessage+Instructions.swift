import Engine

extension ChatMessage {
    /// The beginning of Claude Code's attribution line.
    package static let attribution: StaticString = "x-anthropic-billing-header:"

    /// Returns the number of bytes of Claude Code's attribution line at the beginning of a system text, with its line
    /// break; 0 if the text has no such line.
    ///
    /// The line differs in each conversation. Only Anthropic's own services read it.
    package static func attributionBytes(in text: UnsafeRawBufferPointer) -> Int {
        guard text.hasPrefix(attribution) else { return 0 }
        return text.first(10).map { $0 + 1 } ?? text.count
    }

    /// The texts around an instruction that is sent as a message of the user.
    static let reminderTags: (opening: StaticString, closing: StaticString) = (
        "<system-reminder>\n", "\n</system-reminder>"
    )

    /// Whether the message contains only white space.
    package var isBlank: Bool {
        content.allSatisfy { piece in
            switch piece {
            case .text(let text), .refusal(let text): text.utf8.allSatisfy { $0 == 32 || (9...13).contains($0) }
            case .attachment: false
            case .reasoningBlock: true
            }
        }
    }

    /// The instruction as a message of the user, with tags around each text.
    var asReminder: ChatMessage {
        var message = self
        message.role = .user
        for index in message.content.indices {
            guard case .text(let text) = message.content[index] else { continue }
            message.content[index] = .text("\(Self.reminderTags.opening)\(text)\(Self.reminderTags.closing)")
        }
        return message
    }
}

extension [ChatMessage] {
    /// The number of instructions before the first message of the user or the assistant.
    var leadingInstructions: Int { indices.first { !self[$0].role.isInstruction } ?? count }

    /// The messages for a vendor that knows instructions only at the beginning: later ones become messages of the user.
    ///
    /// Leaves out later instructions without text.
    var withReminders: [ChatMessage] {
        let start = leadingInstructions
        // In place: a loop over the array would copy each message.
        guard (start..<count).contains(where: { self[$0].role.isInstruction }) else { return self }
        var messages = Array(self[..<start])
        messages.reserveCapacity(count)
        for index in start..<count {
            if !self[index].isInstruction {
                messages.append(self[index])
            } else if !self[index].isBlank {
                messages.append(self[index].asReminder)
            }
        }
        return messages
    }
}

/// One message of a conversation.
package struct ChatMessage: Sendable {
    package enum Role: Sendable {
        case system
        case developer
        case user
        case assistant
        case tool
        /// The result of a tool's call that failed: it tells why.
        case failedTool
        /// The result of a call in OpenAI's older form.
        case function

        /// Directions of who runs the conversation.
        package var isInstruction: Bool { self == .system || self == .developer }
    }

    package enum Piece: Sendable {
        case text(String)
        case refusal(String)
        /// One of the call's attachments, by its place.
        case attachment(Int)
        /// Not counted: vendors drop it, or do not charge it.
        case thought(Thought)
    }

    package var role: Role
    /// Of who speaks, or of the function whose result this is.
    package var name: String?
    /// In their order.
    package var content: [Piece]
    /// Calls that the assistant made.
    package var toolCalls: [ToolCall] = []
    /// Of the call whose result this is.
    package var toolCallID: String?

    package init(role: Role, content: [Piece], name: String? = nil) {
        self.role = role
        self.content = content
        self.name = name
    }

    package init(role: Role, text: String) { self.init(role: role, content: [.text(text)]) }

    package var isInstruction: Bool { role.isInstruction }

    /// Of a call.
    package var isResult: Bool { role == .tool || role == .failedTool || role == .function }

    /// All that is said in it, joined.
    package var text: String {
        if content.count == 1, case .text(let text) = content[0] { return text }
        var joined = ""
        for piece in content {
            switch piece {
            case .text(let text), .refusal(let text): joined += text
            case .attachment, .thought: break
            }
        }
        return joined
    }

    /// It has no words for anybody but the vendor that thought.
    package var isThoughtAlone: Bool {
        guard !content.isEmpty, toolCalls.isEmpty else { return false }
        return content.allSatisfy { if case .thought = $0 { true } else { false } }
    }

    /// Of all that `forEachText` takes, and of thoughts.
    package var textBytes: Int {
        var bytes = 0
        for index in content.indices {
            switch content[index] {
            case .text(let text), .refusal(let text): bytes += text.utf8.count
            case .attachment: break
            case .thought(let thought): bytes += thought.bytes
            }
        }
        for index in toolCalls.indices {
            bytes += toolCalls[index].name.utf8.count + toolCalls[index].arguments.utf8.count
        }
        return bytes
    }

    /// Texts, and the names and arguments of calls.
    package func forEachText(_ take: (String) -> Void) {
        for piece in content {
            switch piece {
            case .text(let text), .refusal(let text): take(text)
            case .attachment, .thought: break
            }
        }
        for call in toolCalls {
            take(call.name)
            take(call.arguments)
        }
    }
}

extension [ChatMessage.Piece] {
    /// The words of a failed call's result say that it failed, for vendors that have no mark for that.
    package mutating func tellFailure() {
        if case .text(let text) = first { self[0] = .text("Error: \(text)") } else { insert(.text("Error: "), at: 0) }
    }
}

/// A tool's call, asked for by a model.
package struct ToolCall: Sendable {
    /// Nil: in OpenAI's older form.
    package var id: String?
    package var name: String
    /// JSON as the model wrote it, which need not be valid.
    package var arguments: String
    /// Of the thought that led to it: opaque, its vendor's.
    package var signature: String?
    /// Of an answer: the bytes of its text that come before; of a message: the pieces before. Else it stands behind all.
    package var place = Int.max

    package init(id: String?, name: String, arguments: String) {
        self.id = id
        self.name = name
        self.arguments = arguments
    }
}

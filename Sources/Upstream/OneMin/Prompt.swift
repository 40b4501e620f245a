import Shared

/// A conversation as one text, since the vendor knows neither roles nor turns: instructions first, then the turns with
/// labels. A lone text of the user goes as it is.
struct Prompt {
    let text: String
    let tokens: Int

    init(_ messages: [ChatMessage]) {
        text = Self.flatten(messages)
        var estimate = TokenEstimate()
        estimate.add(text)
        tokens = max(1, estimate.tokens)
    }

    private static func flatten(_ messages: [ChatMessage]) -> String {
        if messages.count == 1, messages[0].role == .user, messages[0].text.utf8.contains(where: { $0 > 32 }) {
            return messages[0].text
        }
        let instructions = messages.filter { $0.role == .system }.map(\.text)
        let turns = messages.filter { $0.role != .system }
        var parts: [String] = []
        if !instructions.isEmpty { parts.append("Instructions:\n" + instructions.joined(separator: "\n\n")) }
        parts += turns.map { "\(label($0.role)): \($0.text)" }
        let isContinued = turns.last?.role == .assistant
        parts.append(
            isContinued
                ? "(Continue the assistant's last message where it ends.)"
                : "(Answer as the assistant, without a label.)"
        )
        return parts.joined(separator: "\n\n")
    }

    private static func label(_ role: ChatMessage.Role) -> String {
        switch role {
        case .system: "System"
        case .user: "User"
        case .assistant: "Assistant"
        case .tool: "Tool result"
        }
    }
}

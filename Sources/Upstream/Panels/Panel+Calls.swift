package import Calls
package import Shared

/// The calls that a panel makes from the client's call.
extension Panel {
    package func cast(for call: borrowing ChatCall) -> Cast { call.showsPicture ? vision : text }

    /// Returns the call for a member: the client's messages and attachments, with the panel's temperature and no other
    /// options.
    package func memberCall(of call: ChatCall) -> ChatCall {
        var asked = ChatCall()
        asked.model = name
        asked.messages = call.messages
        asked.attachments = call.attachments
        if !asked.attachments.isEmpty { asked.needs.insert(.inlineMedia) }
        asked.wishes.sampling.temperature = temperature
        asked.countIfLong()
        return asked
    }

    /// Returns the call for the summary: the history if the panel keeps it, and the last message. A parallel panel adds
    /// the members' responses and the prompt between them. The options of the client's call stay.
    ///
    /// - Parameter references: the texts of the responses, in the order of the members.
    package func summaryCall(of call: ChatCall, _ references: [String], prompt: String) -> ChatCall {
        var asked = call
        asked.original = nil
        let start = call.lastTurn
        var messages = keepsHistory ? Array(call.messages[..<start]) : []
        if mode == .parallel {
            for (index, text) in references.enumerated() {
                let label = label.replacing("{n}", with: String(index + 1))
                messages.append(ChatMessage(role: .assistant, text: label + text))
            }
            messages.append(ChatMessage(role: .user, text: prompt))
        }
        asked.messages = messages + call.messages[start...]
        asked.dropUnusedAttachments()
        var wishes = asked.wishes
        if wishes.sampling.temperature == nil { wishes.sampling.temperature = summaryTemperature }
        // The positions of cache marks refer to the client's messages.
        wishes.cacheMarks = []
        asked.wishes = wishes
        asked.countIfLong()
        return asked
    }
}

extension ChatCall {
    /// Whether the user's last message, or the request as a whole, contains an image.
    fileprivate var showsPicture: Bool {
        if attachments.isEmpty { return false }
        if attachments.contains(where: { $0.kind == .picture && $0.isOfWhole }) { return true }
        guard let last = messages.last(where: { $0.role == .user }) else { return false }
        return last.content.contains { piece in
            if case .attachment(let place) = piece { attachments[place].kind == .picture } else { false }
        }
    }

    /// The position of the last message. If it is a tool result, the position of the message with the tool calls.
    fileprivate var lastTurn: Int {
        var place = max(0, messages.count - 1)
        guard !messages.isEmpty, messages[place].isResult else { return place }
        while place > 0, messages[place].isResult { place -= 1 }
        return place
    }

    /// Removes the attachments that no message refers to any more.
    fileprivate mutating func dropUnusedAttachments() {
        if attachments.isEmpty { return }
        var places: [Int: Int] = [:]
        var kept: [Attachment] = []
        func keep(_ place: Int) -> Int {
            if let known = places[place] { return known }
            places[place] = kept.count
            kept.append(attachments[place])
            return kept.count - 1
        }
        for place in attachments.indices where attachments[place].isOfWhole { _ = keep(place) }
        var changed = messages
        for index in changed.indices {
            for piece in changed[index].content.indices {
                guard case .attachment(let place) = changed[index].content[piece] else { continue }
                changed[index].content[piece] = .attachment(keep(place))
            }
        }
        messages = changed
        attachments = kept
        if kept.isEmpty { needs.remove(.inlineMedia) }
    }
}

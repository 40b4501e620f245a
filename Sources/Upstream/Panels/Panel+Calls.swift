package import Calls
package import Shared

/// The calls that a panel makes of the one that came.
extension Panel {
    package func cast(for call: borrowing ChatCall) -> Cast { call.showsPicture ? vision : text }

    /// The messages, as they came, and no other wish.
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

    /// The history if it is kept, the good answers of members, the prompt, and the last message. All that the caller wished
    /// goes with it.
    ///
    /// - Parameter references: texts of answers, in the order of members.
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
        // Their places are those of the messages that came.
        wishes.cacheMarks = []
        asked.wishes = wishes
        asked.countIfLong()
        return asked
    }
}

extension ChatCall {
    /// The last message of the user has a picture.
    fileprivate var showsPicture: Bool {
        if attachments.isEmpty { return false }
        if attachments.contains(where: { $0.kind == .picture && $0.isOfWhole }) { return true }
        guard let last = messages.last(where: { $0.role == .user }) else { return false }
        return last.content.contains { piece in
            if case .attachment(let place) = piece { attachments[place].kind == .picture } else { false }
        }
    }

    /// The place of the last message. Results of tools belong together with the calls that they answer.
    fileprivate var lastTurn: Int {
        var place = max(0, messages.count - 1)
        guard !messages.isEmpty, messages[place].isResult else { return place }
        while place > 0, messages[place].isResult { place -= 1 }
        return place
    }

    /// Those that no message has any more.
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

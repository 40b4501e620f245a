package import Shared

/// Derives the calls for a panel's members and for its summary model from the client's call.
extension Panel {
    package func cast(for call: borrowing ChatCall) -> Cast { call.showsImage ? vision : text }

    /// Returns a member's call: the client's messages and attachments with the panel's temperature. The client's other
    /// options are left out.
    package func memberCall(of call: ChatCall) -> ChatCall {
        var asked = ChatCall()
        asked.model = name
        asked.messages = call.messages
        asked.attachments = call.attachments
        if !asked.attachments.isEmpty { asked.needs.insert(.inlineMedia) }
        asked.chatOptions.sampling.temperature = temperature
        asked.countIfLong()
        return asked
    }

    /// Returns the call for the summary model, with the options of the client's call.
    ///
    /// The call contains these messages, in this order:
    /// - the client's earlier messages, if the panel keeps the history;
    /// - the members' responses and `prompt`, if the panel is parallel;
    /// - the client's last message, with the instructions after it; if it is a tool result, all messages from the tool
    ///   call on.
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
        var chatOptions = asked.chatOptions
        if chatOptions.sampling.temperature == nil { chatOptions.sampling.temperature = summaryTemperature }
        // The positions of cache marks refer to the client's messages.
        chatOptions.cacheBreakpoints = []
        asked.chatOptions = chatOptions
        asked.countIfLong()
        return asked
    }
}

extension ChatCall {
    /// Whether the user's last message contains an image, or an image belongs to the whole conversation.
    fileprivate var showsImage: Bool {
        if attachments.isEmpty { return false }
        if attachments.contains(where: { $0.kind == .image && $0.isOfWhole }) { return true }
        guard let last = messages.last(where: { $0.role == .user }) else { return false }
        return last.content.contains { piece in
            if case .attachment(let index) = piece { attachments[index].kind == .image } else { false }
        }
    }

    /// The index of the last message that is no instruction. If that is a tool result, the index of the message with
    /// the tool calls.
    fileprivate var lastTurn: Int {
        guard var index = messages.lastIndex(where: { !$0.isInstruction }) else { return max(0, messages.count - 1) }
        while index > 0, messages[index].isResult { index -= 1 }
        return index
    }

    /// Removes the attachments that neither a message nor the whole conversation uses.
    fileprivate mutating func dropUnusedAttachments() {
        if attachments.isEmpty { return }
        var newIndices: [Int: Int] = [:]
        var kept: [Attachment] = []
        func keep(_ attachmentIndex: Int) -> Int {
            if let known = newIndices[attachmentIndex] { return known }
            newIndices[attachmentIndex] = kept.count
            kept.append(attachments[attachmentIndex])
            return kept.count - 1
        }
        for index in attachments.indices where attachments[index].isOfWhole { _ = keep(index) }
        var changed = messages
        for index in changed.indices {
            for piece in changed[index].content.indices {
                guard case .attachment(let attachmentIndex) = changed[index].content[piece] else { continue }
                changed[index].content[piece] = .attachment(keep(attachmentIndex))
            }
        }
        messages = changed
        attachments = kept
        if kept.isEmpty { needs.remove(.inlineMedia) }
    }
}

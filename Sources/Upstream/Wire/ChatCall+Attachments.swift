import Engine
import Shared

extension [Attachment] {
    /// Returns the error for the first attachment that a vendor's API does not accept; nil if it accepts all.
    ///
    /// All APIs accept texts as files, and images but SVG.
    /// - Parameter hasFewImages: whether the API accepts images as PNG, JPEG, GIF and WebP only.
    func refusal(hasPDF: Bool = false, hasAudio: Bool = false, hasFewImages: Bool = false) -> APIError? {
        for part in self {
            switch (part.kind, part.source) {
            case (_, .file): return part.refusalAsAbsent
            case (.audio, .data), (.audio, .address): if !hasAudio { return part.refusalAsAudio }
            case (.image, .data(let text)):
                let isKnown = text.contentType.map { [.png, .jpeg, .gif, .webp].contains($0) } ?? false
                guard hasFewImages ? !isKnown : text.contentType == .svg else { continue }
                let why = hasFewImages ? "not a PNG, JPEG, GIF or WebP image" : "an SVG, which models do not support"
                return .image(part.param, "is \(why)", code: "invalid_image_format")
            case (.file, .data(let text)):
                let isText = text.contentType.map { [.text, .json, .xml].contains($0) } ?? false
                if isText || hasPDF && text.contentType == .pdf { continue }
                let types = hasPDF ? "PDF and plain text" : "plain text"
                return .unsupportedValue(part.param, "the provider of this model supports only \(types)")
            default: break
            }
        }
        return nil
    }
}

extension ChatCall {
    /// Moves attachments of system and assistant messages into new user messages.
    mutating func moveAttachmentsToUser() {
        guard !attachments.isEmpty, messages.contains(where: { $0.movedParts > 0 }) else { return }
        let old = messages
        var waiting: [ChatMessage.Piece] = []
        var newIndices: [Int] = []
        messages = []
        for message in old {
            if !message.isResult, !waiting.isEmpty {
                messages.append(ChatMessage(role: .user, content: waiting))
                waiting = []
            }
            newIndices.append(messages.count)
            messages.append(message)
            guard message.movedParts > 0 else { continue }
            waiting += message.content.filter(\.isAttachment)
            messages[messages.count - 1].content.removeAll(where: \.isAttachment)
        }
        if !waiting.isEmpty {
            let isOpen = messages.last?.role == .assistant
            messages.insert(ChatMessage(role: .user, content: waiting), at: messages.count - (isOpen ? 1 : 0))
            if isOpen { newIndices[newIndices.count - 1] += 1 }
        }
        guard !chatOptions.cacheBreakpoints.isEmpty else { return }
        chatOptions.cacheBreakpoints = chatOptions.cacheBreakpoints.compactMap { $0.moved(to: newIndices, of: old) }
    }
}

extension ChatOptions.CacheBreakpoint {
    /// Returns the cache breakpoint's new position; nil if all content up to the breakpoint was moved.
    /// - Parameters:
    ///   - newIndices: the new index of each message.
    ///   - messages: the messages before the attachments were moved.
    fileprivate func moved(to newIndices: [Int], of messages: [ChatMessage]) -> Self? {
        switch position {
        case .anywhere, .tool: return self
        case .call(let index, let messageIndex): return Self(.call(index, of: newIndices[messageIndex]), isLong: isLong)
        case .result(let messageIndex): return Self(.result(of: newIndices[messageIndex]), isLong: isLong)
        case .piece(let index, let messageIndex):
            let message = messages[messageIndex]
            let before = message.movedParts > 0 ? message.content[...index].count(where: \.isAttachment) : 0
            return before > index ? nil : Self(.piece(index - before, of: newIndices[messageIndex]), isLong: isLong)
        }
    }
}

extension ChatMessage {
    fileprivate var movedParts: Int { role == .assistant || isInstruction ? content.count(where: \.isAttachment) : 0 }
}

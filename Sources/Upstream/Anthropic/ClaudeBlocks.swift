import Engine
import Shared

/// The state of a message's list of content blocks while the list is being written.
struct BlockList {
    private(set) var isEmpty = true
    /// Whether no cache breakpoint can be added to the last block.
    private var isClosed = false

    /// Appends the beginning of a new block, up to the value of its member `type`.
    mutating func open(_ type: StaticString, to out: inout ByteBuffer) {
        out.append(isEmpty ? #"{"type":""# : #",{"type":""#)
        isEmpty = false
        isClosed = false
        out.append(type)
        out.append("\"")
    }

    /// Adds a cache breakpoint to the last block, which must be the last thing in `out`.
    ///
    /// Does nothing if `mark` is nil or the block cannot have a breakpoint.
    mutating func close(_ mark: ChatOptions.CacheBreakpoint?, to out: inout ByteBuffer) {
        guard let mark, !isEmpty, !isClosed else { return }
        isClosed = true
        out.removeLast(1)
        out.append(mark)
        out.append("}")
    }

    mutating func forbidCacheBreakpoint() { isClosed = true }
}

/// Writes the content of messages as content blocks of the Messages API.
struct ClaudeBlocks {
    private let attachments: [Attachment]
    private let parser = JSONParser()

    init(_ attachments: [Attachment]) { self.attachments = attachments }

    /// Appends one piece of a message's content as a content block. Appends nothing for reasoning.
    func append(_ piece: ChatMessage.Piece, _ list: inout BlockList, to out: inout ByteBuffer) {
        switch piece {
        case .text(let text), .refusal(let text): append(text: text, &list, to: &out)
        case .attachment(let index): append(attachments[index], &list, to: &out)
        case .reasoningBlock: break
        }
    }

    /// Appends text as a content block. Appends nothing for blank text, which the API refuses.
    /// - Parameter isCut: whether white space at the end of the text is removed.
    func append(text: String, _ list: inout BlockList, isCut: Bool = false, to out: inout ByteBuffer) {
        guard text.hasWords else { return }
        var text = text
        text.withUTF8 { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            list.open("text", to: &out)
            out.append(#","text":"#, json: isCut ? Self.cut(bytes) : bytes, "}")
        }
    }

    /// Returns the text without the white space at its end.
    private static func cut(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var end = text.count
        while let length = (1...3).first(where: { $0 <= end && ByteScan.spaceLength(text, end - $0) == $0 }) {
            end -= length
        }
        return text[part: 0..<end]
    }

    /// Appends reasoning as a content block. Appends nothing without a signature of Anthropic.
    func append(_ reasoningBlock: ReasoningBlock, _ list: inout BlockList, to out: inout ByteBuffer) {
        guard let signature = reasoningBlock.signature, !reasoningBlock.isMarked else { return }
        if reasoningBlock.isSealed {
            list.open("redacted_thinking", to: &out)
            out.append(#","data":"#)
        } else {
            list.open("thinking", to: &out)
            out.append(#","thinking":"#, json: reasoningBlock.text, #","signature":"#)
        }
        out.append(json: signature)
        out.append("}")
        list.forbidCacheBreakpoint()
    }

    func append(input arguments: String, to out: inout ByteBuffer) {
        out.append(object: arguments, or: "_raw", parser)
    }

    // MARK: Attachments

    private func append(_ part: Attachment, _ list: inout BlockList, to out: inout ByteBuffer) {
        switch (part.kind, part.source) {
        case (_, .words(let text)), (_, .kept(let text)), (_, .file(let text)): append(text: text, &list, to: &out)
        case (.image, .address(let address)):
            list.open("image", to: &out)
            append(address: address, to: &out)
        case (.image, .data(let text)):
            list.open("image", to: &out)
            append(text, as: text.contentType ?? .png, to: &out)
        case (.file, .address(let address)):
            list.open("document", to: &out)
            append(address: address, to: &out)
        case (.file, .data(let text)):
            list.open("document", to: &out)
            if text.contentType == .pdf { append(text, as: .pdf, to: &out) } else { append(plain: text, to: &out) }
            if let name = part.name, name.utf8.contains(where: { $0 > 32 }) {
                out.removeLast(1)
                out.append(#","title":"#, json: name, "}")
            }
        case (.audio, _): break
        }
    }

    private func append(address: String, to out: inout ByteBuffer) {
        out.append(#","source":{"type":"url","url":"#, json: address, "}}")
    }

    private func append(_ text: Base64Text, as type: MediaType, to out: inout ByteBuffer) {
        out.append(#","source":{"type":"base64","media_type":""#, type.rawValue, #"","data":""#)
        out.append(jsonContent: text.base64.bytes)
        out.append("\"}}")
    }

    private func append(plain text: Base64Text, to out: inout ByteBuffer) {
        out.append(#","source":{"type":"text","media_type":"text/plain","data":"#)
        // Bytes that are not UTF-8 become replacement characters.
        out.append(json: String(decoding: Base64.standard.bytes(text.base64.bytes) ?? [], as: UTF8.self))
        out.append("}}")
    }
}

extension ByteBuffer {
    /// Appends the member `cache_control`, which marks a cache breakpoint. Another member must stand before it.
    mutating func append(_ mark: ChatOptions.CacheBreakpoint) {
        append(#","cache_control":{"type":"ephemeral""#)
        if mark.isLong { append(#","ttl":"1h""#) }
        append("}")
    }
}

extension [ChatOptions.CacheBreakpoint] {
    func mark(at position: ChatOptions.CacheBreakpoint.Location) -> ChatOptions.CacheBreakpoint? {
        isEmpty ? nil : first { $0.position == position }
    }
}

import Engine
import Shared
import Upstream

/// One item of the input in the Responses API, such as a message or a tool call.
struct InputItem: Sendable {
    enum Kind: Sendable {
        case message(ChatMessage)
        case call(ToolCall)
        case result(ChatMessage)
        case reasoningBlock(ReasoningBlock)
        /// A reference to an item of a stored response; the value is the item's id.
        case reference([UInt8])
        /// An encrypted summary that replaces the earlier assistant messages, tool calls and tool results.
        case compaction(String)
        /// A decrypted summary of the conversation before this item.
        case summary(String)
        /// An item that changes the reasoning effort or the output format. The last such item wins.
        case configuration(effort: String?, format: ChatOptions.Format?)
        /// An item that the model does not get.
        case ignored

        var isOfUser: Bool { if case .message(let message) = self { message.role == .user } else { false } }
    }

    var kind: Kind
    /// The path of the item in the request, such as `input[2]`, for error messages.
    let param: String
    /// The id of the item in the request; nil if the client sent none.
    let id: String?
    let type: ItemType
    /// The JSON text of the item for storing, without its id and the braces; nil if the item is not stored.
    let members: Body?

    /// Whether the item is reasoning of the relay's response without its signature, which a stored response may have.
    var lacksSignature: Bool {
        guard type == .reasoning, let id, id.withBytes(ItemType.isMadeByRelay) else { return false }
        return switch kind {
        case .ignored: true
        case .reasoningBlock(let block): block.signature == nil
        default: false
        }
    }
}

/// The type of an input or output item. The raw value is the prefix of the item's id.
enum ItemType: String, Sendable {
    case message = "msg_"
    case functionCall = "fc_"
    case functionOutput = "fco_"
    case customCall = "ctc_"
    case reasoning = "rs_"
    case other = "item_"

    /// Returns whether an item's id has the form that the relay gives: a prefix, the random part of a response's id, and
    /// a number.
    static func isMadeByRelay(_ id: UnsafeRawBufferPointer) -> Bool {
        guard let mark = id.firstIndex(of: UInt8(ascii: "_")) else { return false }
        let rest = id.count - mark - 1
        return rest > RandomBytes.idLength && rest <= RandomBytes.idLength + 4
            && !id[(mark + 1)...].contains(UInt8(ascii: "-"))
    }
}

/// The items of a conversation, and the attachments that their messages refer to by index.
struct ItemList: Sendable {
    var items: [InputItem] = []
    var attachments: [Attachment] = []

    /// Inserts the items of `other` before these items.
    mutating func joined(after other: ItemList) throws(APIError) {
        var all = other
        let start = all.attachments.count
        try all.add(attachments)
        all.items += start == 0 ? items : items.map { item in item.mapped { $0 + start } }
        self = all
    }

    /// Returns a new list that contains only this item and the attachments that the item refers to.
    func alone(_ item: InputItem) -> ItemList {
        var list = ItemList()
        list.items = [
            item.mapped { index in
                list.attachments.append(attachments[index])
                return list.attachments.count - 1
            }
        ]
        return list
    }

    /// Replaces the item reference at this index by the first item of `other`. Adds the attachments of `other`.
    mutating func replace(_ index: Int, with other: ItemList) throws(APIError) {
        guard let item = other.items.first else { return }
        let start = attachments.count
        try add(other.attachments)
        items[index] = item.mapped { $0 + start }
    }

    private mutating func add(_ others: [Attachment]) throws(APIError) {
        for one in others {
            do throws(APIError) {
                try attachments.add(one)
            } catch {
                var error = error
                error.param = "input"
                throw error
            }
        }
    }

    /// Converts the items into messages for the model. Throws if a tool result has no earlier tool call.
    /// - Parameter isAmbiguous: set to true if several tool calls have the same id.
    func messages(after instructions: String?, isAmbiguous: inout Bool) throws(APIError) -> [ChatMessage] {
        var messages: [ChatMessage] = []
        if let instructions { messages.append(ChatMessage(role: .system, text: instructions)) }
        var calls = EarlierCalls()
        let start = items.lastIndex { if case .summary = $0.kind { true } else { false } } ?? 0
        for item in items[..<start] {
            // Messages of users are kept along with the summary.
            if case .message(let message) = item.kind, message.role != .assistant { messages.append(message) }
        }
        for item in items[start...] {
            switch item.kind {
            case .message(var message):
                if message.role == .assistant, let last = messages.last, last.isReasoningOnly {
                    message.content = last.content + message.content
                    messages.removeLast()
                }
                messages.append(message)
            case .reasoningBlock(let reasoningBlock):
                if messages.last?.role != .assistant || reasoningBlock.isCompaction {
                    messages.append(ChatMessage(role: .assistant, content: []))
                }
                messages[messages.count - 1].content.append(.reasoningBlock(reasoningBlock))
            case .call(var call):
                if let id = call.id { calls.insert(CallID(id.utf8)) }
                if messages.last?.role != .assistant { messages.append(ChatMessage(role: .assistant, content: [])) }
                call.contentBefore = messages[messages.count - 1].content.count
                messages[messages.count - 1].toolCalls.append(call)
            case .result(let message):
                guard let id = message.toolCallID, calls.contains(CallID(id.utf8)) else {
                    throw .value("\(item.param).call_id", "no earlier item has this call_id")
                }
                messages.append(message)
            case .summary(let text): messages.append(Self.message(ofSummary: text))
            case .reference, .compaction, .configuration, .ignored: break
            }
        }
        isAmbiguous = calls.isAmbiguous
        return messages
    }

    /// The size of all texts in bytes: messages, call arguments, tool results, reasoning and summaries.
    var textBytes: Int {
        var bytes = 0
        for item in items {
            switch item.kind {
            case .message(let message), .result(let message): message.forEachText { bytes += $0.utf8.count }
            case .call(let call): bytes += call.arguments.utf8.count
            case .reasoningBlock(let reasoningBlock): bytes += reasoningBlock.bytes
            case .summary(let text): bytes += text.utf8.count
            case .reference, .compaction, .configuration, .ignored: break
            }
        }
        return bytes
    }

    /// The reasoning effort and output format from the input items; each nil if no item sets it. The last item wins.
    var configuration: (effort: String?, format: ChatOptions.Format?) {
        var last: (effort: String?, format: ChatOptions.Format?)
        for item in items {
            guard case .configuration(let effort, let format) = item.kind else { continue }
            last = (effort ?? last.effort, format ?? last.format)
        }
        return last
    }

    /// Returns the error for vendors that do not know all items; nil if there is no unknown item.
    /// - Parameter isKept: whether the unknown items stay; if false, they are left out.
    mutating func settleOwnItems(_ isKept: Bool) -> APIError? {
        var refusal: APIError?
        for index in items.indices {
            guard case .reasoningBlock(let block) = items[index].kind, block.item != nil else { continue }
            if isKept { refusal = refusal ?? .unknownItem(items[index].param) } else { items[index].kind = .ignored }
        }
        return refusal
    }

    var hasCompactions: Bool { items.contains { if case .compaction = $0.kind { true } else { false } } }

    var namesStoredItems: Bool { items.contains { if case .reference = $0.kind { true } else { false } } }

    var hasReferences: Bool { hasCompactions || namesStoredItems }

    /// The messages in place of the relay's own compactions, by the paths of these items.
    var summaries: [String: ChatMessage] {
        items.reduce(into: [:]) { found, item in
            if case .summary(let text) = item.kind { found[item.param] = Self.message(ofSummary: text) }
        }
    }

    private static func message(ofSummary text: String) -> ChatMessage {
        ChatMessage(role: .user, text: "This is a summary of the conversation so far:\n\n\(text)")
    }

    var keptBytes: Int { items.reduce(0) { $0 + 64 + ($1.members?.bytes.count ?? 0) } }

    /// Appends all items that are stored, as a JSON array.
    /// - Parameter seed: the random part of the response's id, for items without an id.
    func append(to text: inout ByteBuffer, seed: String) {
        text.append("[")
        var isFirst = true
        for (index, item) in items.enumerated() {
            guard let members = item.members else { continue }
            text.append(isFirst ? #"{"id":"# : #",{"id":"#)
            isFirst = false
            if let id = item.id {
                text.append(json: id)
            } else {
                text.append("\"")
                text.append(item.type.rawValue)
                text.append(seed)
                text.append("i", decimal: index, "\"")
            }
            text.append(",", members.bytes, "}")
        }
        text.append("]")
    }
}

extension InputItem {
    /// Returns a copy of the item whose attachment indexes are replaced by the results of `newIndex`.
    fileprivate func mapped(_ newIndex: (Int) -> Int) -> InputItem {
        var item = self
        switch kind {
        case .message(let message): item.kind = .message(message.mapped(newIndex))
        case .result(let message): item.kind = .result(message.mapped(newIndex))
        default: break
        }
        return item
    }
}

extension ChatMessage {
    fileprivate func mapped(_ newIndex: (Int) -> Int) -> ChatMessage {
        var message = self
        message.content = content.map { piece in
            if case .attachment(let old) = piece { .attachment(newIndex(old)) } else { piece }
        }
        return message
    }
}

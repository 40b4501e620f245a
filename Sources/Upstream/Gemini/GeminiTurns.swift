import Engine
import Shared

/// Writes a conversation as alternating turns of user and model. System messages are written separately.
struct GeminiTurns: ~Copyable {
    private struct Turn {
        let isUser: Bool
        /// The indexes in `messages` of the messages that form this turn.
        var messageIndices: [Int] = []
    }

    /// A tool call from the last model turn. Its result must follow.
    private struct WaitingParts {
        let key: [UInt8]
        let name: [UInt8]
        /// The id that Google assigned to the tool call; nil if no such id is known.
        let id: String?
    }

    private let messages: [ChatMessage]
    private let attachments: [Attachment]
    private let memory: AccountSignatures
    private let wantsSignatures: Bool
    private(set) var names: VendorNameMap
    private var waiting: [WaitingParts] = []
    private let parser = JSONParser()

    init(_ call: borrowing ChatCall, _ names: VendorNameMap, memory: AccountSignatures, wantsSignatures: Bool) {
        messages = call.messages.withReminders
        attachments = call.attachments
        self.names = names
        self.memory = memory
        self.wantsSignatures = wantsSignatures
    }

    /// Appends the leading instructions as parts, separated by commas. Returns false if nothing was appended.
    func appendInstructions(to out: inout ByteBuffer) -> Bool {
        var parts = GeminiParts()
        for message in messages where message.isInstruction {
            for case .text(let text) in message.content { parts.append(text: text, to: &out) }
        }
        return !parts.isEmpty
    }

    // MARK: Turns

    /// Appends all turns of the conversation.
    /// - Parameter opening: parts at the start of the first user turn; nil if there are none.
    mutating func append(to out: inout ByteBuffer, before opening: UnsafeRawBufferPointer?) {
        var turns = turns
        if turns.first?.isUser != true { turns.insert(Turn(isUser: true), at: 0) }
        for (index, turn) in turns.enumerated() {
            if index > 0 { out.append(",") }
            var parts = GeminiParts()
            out.append(turn.isUser ? #"{"role":"user","parts":["# : #"{"role":"model","parts":["#)
            if turn.isUser {
                if index == 0, let opening { parts.append(parts: opening, to: &out) }
                appendUser(turn, &parts, to: &out)
            } else {
                appendModel(turn, &parts, to: &out)
            }
            if parts.isEmpty { parts.append(text: ".", to: &out) }
            out.append("]}")
        }
        guard !waiting.isEmpty else { return }
        var parts = GeminiParts()
        out.append(#",{"role":"user","parts":["#)
        appendUser(Turn(isUser: true), &parts, to: &out)
        out.append("]}")
    }

    private var turns: [Turn] {
        var turns: [Turn] = []
        for messageIndex in messages.indices where !messages[messageIndex].isInstruction {
            let isUser = messages[messageIndex].role != .assistant
            if turns.last?.isUser != isUser { turns.append(Turn(isUser: isUser)) }
            turns[turns.count - 1].messageIndices.append(messageIndex)
        }
        return turns
    }

    // MARK: The model

    /// Appends a model turn: its texts with their thought signatures, and its tool calls, in the client's order.
    private mutating func appendModel(_ turn: Turn, _ parts: inout GeminiParts, to out: inout ByteBuffer) {
        waiting = []
        for messageIndex in turn.messageIndices {
            let content = messages[messageIndex].content
            var calls = messages[messageIndex].toolCalls[...]
            var signature: String?
            for case .reasoningBlock(let reasoningBlock) in content {
                signature = reasoningBlock.signature.map(TextSignature.bare) ?? signature
            }
            if let known = signature, !memory.isKnown(known) { signature = nil }
            signature = signature ?? memory.signature(of: messages[messageIndex].said)
            let lastText = content.lastIndex { if case .text = $0 { true } else { false } }
            for (index, piece) in content.enumerated() {
                while let call = calls.first, call.contentBefore <= index {
                    append(calls.removeFirst(), &parts, to: &out)
                }
                switch piece {
                case .text(let text):
                    let isSigned = index == lastText && signature != nil
                    parts.append(text: text, signature: isSigned ? signature : nil, to: &out)
                    if isSigned { signature = nil }
                case .refusal(let text): parts.append(text: text, to: &out)
                case .attachment, .reasoningBlock: break
                }
            }
            if let signature { parts.append(text: "", signature: signature, to: &out) }
            for call in calls { append(call, &parts, to: &out) }
        }
    }

    private mutating func append(_ call: ToolCall, _ parts: inout GeminiParts, to out: inout ByteBuffer) {
        let known = call.id.flatMap { memory.signature(ofCall: $0) }
        let id = known?.hasOwnID == true ? call.id : nil
        let name = names.name(call.name)
        let isFirst = waiting.isEmpty
        waiting.append(WaitingParts(key: ToolCall.key(id: call.id, name: call.name), name: name, id: id))
        parts.open(to: &out)
        out.append(#"{"functionCall":{"#)
        append(id, name, to: &out)
        out.append(#","args":"#)
        out.append(object: call.arguments, or: "_raw", parser)
        out.append("}")
        var signature = call.signature ?? known?.text ?? ""
        if signature.isEmpty, isFirst, wantsSignatures { signature = MessageRewriter.uncheckedSignature }
        if !signature.isEmpty { out.append("thoughtSignature", signature) }
        out.append("}")
    }

    private func append(_ id: String?, _ name: [UInt8], to out: inout ByteBuffer) {
        if let id {
            out.append(#""id":"#, json: id, ",")
        }
        out.append(#""name":"#, json: name)
    }

    // MARK: The user

    /// Appends a user turn. It begins with one result for each tool call of the model turn before it.
    private mutating func appendUser(_ turn: Turn, _ parts: inout GeminiParts, to out: inout ByteBuffer) {
        let (found, unasked) = messages.results(ofCalls: waiting.map(\.key), at: turn.messageIndices)
        var moved: [ChatMessage.Piece] = []
        for (number, (call, messageIndex)) in zip(waiting, found).enumerated() {
            parts.open(to: &out)
            out.append(#"{"functionResponse":{"#)
            append(call.id, call.name, to: &out)
            out.append(#","response":"#)
            if let messageIndex {
                var message = messages[messageIndex]
                let name = String(decoding: call.name, as: UTF8.self)
                moved += message.takeAttachments(ofCall: call.id ?? "\(name), call \(number + 1)")
                let member: StaticString = message.role == .failedTool ? "error" : "output"
                out.append(object: message.text, or: member, keepsBlank: true, parser)
            } else {
                out.append(#"{"error":"no result"}"#)
            }
            out.append("}}")
        }
        waiting = []
        append(moved, &parts, to: &out)
        for messageIndex in turn.messageIndices where !messages[messageIndex].isResult || unasked.contains(messageIndex)
        {
            append(messages[messageIndex].content, &parts, to: &out)
        }
    }

    private func append(_ pieces: [ChatMessage.Piece], _ parts: inout GeminiParts, to out: inout ByteBuffer) {
        for piece in pieces {
            switch piece {
            case .text(let text), .refusal(let text): parts.append(text: text, to: &out)
            case .attachment(let index): parts.append(attachments[index], to: &out)
            case .reasoningBlock: break
            }
        }
    }
}

import Engine
import Shared

/// Writes a conversation as alternating turns of user and assistant, with instructions between them.
struct ClaudeTurns: ~Copyable {
    private enum Speaker: String {
        case user
        case assistant
        case system
    }

    private struct Turn {
        let speaker: Speaker
        /// The indexes in `messages` of the messages that form this turn.
        var messageIndices: [Int] = []
    }

    /// A tool call of the last assistant turn, for which a result must follow.
    private struct WaitingBlocks {
        let key: [UInt8]
        let id: [UInt8]
    }

    private let messages: [ChatMessage]
    private let blocks: ClaudeBlocks
    private let marks: [ChatOptions.CacheBreakpoint]
    private let supportsSystemTurns: Bool
    private var names: VendorNameMap
    private var ids = VendorNameMap()
    private var waiting: [WaitingBlocks] = []
    private var isFirst = true
    /// The vendor's names of all tools that the conversation has called.
    private(set) var calledNames: [[UInt8]] = []

    /// - Parameter supportsSystemTurns: whether the vendor accepts turns of the role `system`. If false, instructions
    ///   between turns become reminders in turns of the user.
    init(
        _ call: borrowing ChatCall,
        _ names: VendorNameMap,
        _ marks: [ChatOptions.CacheBreakpoint],
        supportsSystemTurns: Bool
    ) {
        messages = call.messages
        blocks = ClaudeBlocks(call.attachments)
        self.names = names
        self.marks = marks
        self.supportsSystemTurns = supportsSystemTurns
    }

    consuming func finish() -> (VendorNameMap, calledNames: [[UInt8]]) { (names, calledNames) }

    // MARK: Instructions

    /// Appends the instructions before the first turn as content blocks. Returns false if nothing was appended.
    func appendSystem(to out: inout ByteBuffer) -> Bool {
        var list = BlockList()
        for messageIndex in 0..<messages.leadingInstructions {
            append(messages[messageIndex], messageIndex, &list, to: &out)
        }
        return !list.isEmpty
    }

    private func append(_ message: ChatMessage, _ messageIndex: Int, _ list: inout BlockList, to out: inout ByteBuffer)
    {
        for (index, piece) in message.content.enumerated() {
            blocks.append(piece, &list, to: &out)
            list.close(marks.mark(at: .piece(index, of: messageIndex)), to: &out)
        }
    }

    // MARK: Turns

    /// Appends all turns of the conversation.
    /// - Parameter prefill: whether the conversation can end with an assistant turn. If false, a user turn follows it.
    mutating func append(to out: inout ByteBuffer, prefill: Bool) {
        let turns = turns
        if turns.first?.speaker != .user { appendFiller(".", to: &out) }
        for (index, turn) in turns.enumerated() {
            open(turn.speaker, to: &out)
            var list = BlockList()
            switch turn.speaker {
            case .user: appendUser(turn, &list, to: &out)
            case .assistant: appendAssistant(turn, &list, isLast: index == turns.count - 1, to: &out)
            case .system:
                for messageIndex in turn.messageIndices {
                    append(messages[messageIndex], messageIndex, &list, to: &out)
                }
            }
            if list.isEmpty { blocks.append(text: ".", &list, to: &out) }
            out.append("]}")
        }
        guard turns.last?.speaker == .assistant else { return }
        if !waiting.isEmpty {
            open(.user, to: &out)
            var list = BlockList()
            appendUser(Turn(speaker: .user), &list, to: &out)
            out.append("]}")
        } else if !prefill {
            appendFiller("Continue.", to: &out)
        }
    }

    private var turns: [Turn] {
        var turns: [Turn] = []
        func add(_ messageIndex: Int, to speaker: Speaker) {
            if turns.last?.speaker != speaker { turns.append(Turn(speaker: speaker)) }
            turns[turns.count - 1].messageIndices.append(messageIndex)
        }
        // The instructions since the last turn. Results of tool calls come before them.
        var held: [Int] = []
        // The API accepts a system turn only after a user turn, and before an assistant turn or at the end.
        func addHeld(isBeforeUser: Bool) {
            let isInPlace = supportsSystemTurns && !isBeforeUser && turns.last?.speaker == .user
            for messageIndex in held { add(messageIndex, to: isInPlace ? .system : .user) }
            held = []
        }
        for messageIndex in messages.leadingInstructions..<messages.count {
            let message = messages[messageIndex]
            if message.isInstruction {
                if !message.isBlank { held.append(messageIndex) }
                continue
            }
            let speaker: Speaker = message.role == .assistant ? .assistant : .user
            if !held.isEmpty, !message.isResult { addHeld(isBeforeUser: speaker == .user) }
            add(messageIndex, to: speaker)
        }
        addHeld(isBeforeUser: false)
        return turns
    }

    private mutating func open(_ speaker: Speaker, to out: inout ByteBuffer) {
        out.append(isFirst ? #"{"role":""# : #",{"role":""#)
        isFirst = false
        out.append(speaker.rawValue)
        out.append(#"","content":["#)
    }

    private mutating func appendFiller(_ text: String, to out: inout ByteBuffer) {
        open(.user, to: &out)
        var list = BlockList()
        blocks.append(text: text, &list, to: &out)
        out.append("]}")
    }

    // MARK: The assistant

    /// Appends the content blocks and tool calls of an assistant turn, in their original order. Tool calls with an
    /// unknown position come last.
    private mutating func appendAssistant(
        _ turn: Turn,
        _ list: inout BlockList,
        isLast: Bool,
        to out: inout ByteBuffer
    ) {
        let hasCalls = turn.messageIndices.contains { !messages[$0].toolCalls.isEmpty }
        // The API refuses a prefill that ends in white space.
        let end = isLast && !hasCalls ? lastText(of: turn) : nil
        waiting = []
        for messageIndex in turn.messageIndices {
            let content = messages[messageIndex].content
            var calls = 0
            for (index, piece) in content.enumerated() {
                appendCalls(of: messageIndex, from: &calls, before: index, &list, to: &out)
                switch piece {
                case .text(let text), .refusal(let text):
                    let isEnd = end.map { $0 == (messageIndex, index) } ?? false
                    blocks.append(text: text, &list, isCut: isEnd, to: &out)
                case .reasoningBlock(let reasoningBlock): blocks.append(reasoningBlock, &list, to: &out)
                case .attachment: break
                }
                list.close(marks.mark(at: .piece(index, of: messageIndex)), to: &out)
            }
            appendCalls(of: messageIndex, from: &calls, before: content.count, &list, to: &out)
        }
        for messageIndex in turn.messageIndices {
            let message = messages[messageIndex]
            var calls =
                message.toolCalls.firstIndex { $0.contentBefore > message.content.count } ?? message.toolCalls.count
            appendCalls(of: messageIndex, from: &calls, before: .max, &list, to: &out)
        }
    }

    private mutating func appendCalls(
        of messageIndex: Int,
        from first: inout Int,
        before piece: Int,
        _ list: inout BlockList,
        to out: inout ByteBuffer
    ) {
        while first < messages[messageIndex].toolCalls.count,
            messages[messageIndex].toolCalls[first].contentBefore <= piece
        {
            append(messages[messageIndex].toolCalls[first], &list, to: &out)
            list.close(marks.mark(at: .call(first, of: messageIndex)), to: &out)
            first += 1
        }
    }

    /// Returns the message index and content index of the turn's last text that is not blank; nil if there is none.
    private func lastText(of turn: Turn) -> (messageIndex: Int, index: Int)? {
        for messageIndex in turn.messageIndices.reversed() {
            let index = messages[messageIndex].content.lastIndex { piece in
                switch piece {
                case .text(let text), .refusal(let text): text.hasWords
                case .attachment, .reasoningBlock: false
                }
            }
            if let index { return (messageIndex, index) }
        }
        return nil
    }

    private mutating func append(_ call: ToolCall, _ list: inout BlockList, to out: inout ByteBuffer) {
        let id = ids.once(call.id.map { Array($0.utf8) } ?? Array("call".utf8))
        let name = names.name(call.name)
        calledNames.append(name)
        waiting.append(WaitingBlocks(key: ToolCall.key(id: call.id, name: call.name), id: id))
        list.open("tool_use", to: &out)
        out.append(#","id":"#, json: id)
        out.append(#","name":"#, json: name, #","input":"#)
        blocks.append(input: call.arguments, to: &out)
        out.append("}")
    }

    // MARK: The user

    /// Appends a user turn. The results of the preceding assistant turn's tool calls are written first.
    private mutating func appendUser(_ turn: Turn, _ list: inout BlockList, to out: inout ByteBuffer) {
        let (found, unasked) = messages.results(ofCalls: waiting.map(\.key), at: turn.messageIndices)
        for (call, messageIndex) in zip(waiting, found) {
            list.open("tool_result", to: &out)
            out.append(#","tool_use_id":"#, json: call.id)
            if let messageIndex {
                appendResult(messages[messageIndex], to: &out)
            } else {
                out.append(#","content":"No result.","is_error":true"#)
            }
            out.append("}")
            if let messageIndex { list.close(marks.mark(at: .result(of: messageIndex)), to: &out) }
        }
        waiting = []
        for messageIndex in turn.messageIndices where !messages[messageIndex].isResult || unasked.contains(messageIndex)
        {
            let message = messages[messageIndex]
            append(message.isInstruction ? message.asReminder : message, messageIndex, &list, to: &out)
        }
    }

    private func appendResult(_ message: ChatMessage, to out: inout ByteBuffer) {
        var content = ByteBuffer()
        var list = BlockList()
        for piece in message.content { blocks.append(piece, &list, to: &content) }
        if !list.isEmpty { out.append(#","content":["#, content.bytes, "]") }
        if message.role == .failedTool { out.append(#","is_error":true"#) }
    }
}

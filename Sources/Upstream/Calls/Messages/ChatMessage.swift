package import Engine

package struct ChatMessage: Sendable {
    package enum Role: Sendable {
        case system
        case developer
        case user
        case assistant
        case tool
        /// The result of a failed tool call. The content says why the tool call failed.
        case failedTool
        /// The result of a function call in OpenAI's legacy form.
        case function

        /// Whether messages of this role contain instructions of the application, not of its user.
        var isInstruction: Bool { self == .system || self == .developer }
    }

    package enum Piece: Sendable {
        case text(String)
        case refusal(String)
        /// An attachment, by its index in `ChatCall.attachments`.
        case attachment(Int)
        /// Reasoning of an earlier response. Its tokens are not counted.
        case reasoningBlock(ReasoningBlock)
    }

    /// The part that an assistant's message has in its turn, as the Responses API names it.
    package enum Phase: String, Sendable, CaseIterable {
        case commentary
        case finalAnswer = "final_answer"
    }

    package var role: Role
    /// The phase of an assistant's message; nil if the client or vendor sent none.
    package var phase: Phase?
    /// The name of the speaker, or of the function whose result the message contains; nil if there is none.
    package var name: String?
    /// The pieces of the message's content, in order.
    package var content: [Piece]
    package var toolCalls: [ToolCall] = []
    /// The id of the tool call whose result the message contains; nil for other messages.
    package var toolCallID: String?

    var isInstruction: Bool { role.isInstruction }

    package var isResult: Bool { role == .tool || role == .failedTool || role == .function }

    /// All text of the message, with a line feed between two pieces.
    package var text: String {
        if content.count == 1, case .text(let text) = content[0] { return text }
        var joined = ByteBuffer()
        for piece in content {
            switch piece {
            case .text(let text), .refusal(let text): joined.append(line: text)
            case .attachment, .reasoningBlock: break
            }
        }
        return joined.text
    }

    /// Whether the message contains only reasoning.
    package var isReasoningOnly: Bool {
        guard !content.isEmpty, toolCalls.isEmpty else { return false }
        return content.allSatisfy { $0.reasoning != nil }
    }

    /// The size of the message in bytes: its texts, its tool calls and its reasoning.
    @inline(__always)  // A call would copy the message.
    package var textBytes: Int {
        var bytes = 0
        for index in content.indices {
            switch content[index] {
            case .text(let text), .refusal(let text): bytes += text.utf8.count
            case .attachment: break
            case .reasoningBlock(let reasoningBlock): bytes += reasoningBlock.bytes
            }
        }
        for index in toolCalls.indices {
            bytes += toolCalls[index].name.utf8.count + toolCalls[index].arguments.utf8.count
        }
        return bytes
    }

    /// Calls `body` with each text of the content, and with each tool call's name and arguments.
    package func forEachText(_ body: (String) -> Void) {
        for piece in content {
            switch piece {
            case .text(let text), .refusal(let text): body(text)
            case .attachment, .reasoningBlock: break
            }
        }
        for call in toolCalls {
            body(call.name)
            body(call.arguments)
        }
    }
}

extension ChatMessage {
    // Both call the initializer of all properties: Swift would copy the struct if they set its properties.

    package init(role: Role, content: [Piece], name: String? = nil) {
        self.init(role: role, phase: nil, name: name, content: content, toolCalls: [], toolCallID: nil)
    }

    package init(role: Role, text: String) {
        self.init(role: role, phase: nil, name: nil, content: [.text(text)], toolCalls: [], toolCallID: nil)
    }
}

extension ChatMessage.Piece {
    /// The reasoning that the piece is; nil for other pieces.
    @inline(__always)
    var reasoning: ReasoningBlock? { if case .reasoningBlock(let block) = self { block } else { nil } }

    var isAttachment: Bool { if case .attachment = self { true } else { false } }

    /// Returns whether OpenAI's API has content parts of this type.
    package static func isKnown(type: UnsafeRawBufferPointer) -> Bool { types.contains { type.equals($0) } }

    private static let types: [StaticString] = [
        "text", "input_text", "output_text", "refusal", "image_url", "input_image", "input_audio", "file", "input_file",
    ]
}

/// Tool results for vendors whose results have no attachments: these follow in a message of the user.
extension ChatMessage {
    /// The text of a result that has nothing but attachments.
    static let attachmentsFollow: StaticString = "[The attachments of this result follow.]"
    /// The texts around the id or name of the call whose attachments follow.
    static let attachmentMarks: (opening: StaticString, closing: StaticString) = (
        "[Attachments of the result of ", ":]"
    )

    /// Takes the attachments out of a tool result. Returns the pieces that follow it: a line that names the call, and the
    /// attachments; none if there are none.
    mutating func takeAttachments(ofCall call: String) -> [Piece] {
        let taken = content.filter(\.isAttachment)
        guard !taken.isEmpty else { return [] }
        content.removeAll(where: \.isAttachment)
        if text.isEmpty { content = [.text("\(Self.attachmentsFollow)")] }
        return [.text("\(Self.attachmentMarks.opening)\(call)\(Self.attachmentMarks.closing)")] + taken
    }
}

extension ByteBuffer {
    /// Appends a piece of a text, which begins a new line unless the buffer is empty.
    package mutating func append(line piece: String) {
        guard let first = piece.utf8.first else { return }
        if first != 10, let last = bytes.last, last != 10 { append(10 as UInt8) }
        append(piece)
    }
}

extension [ChatMessage.Piece] {
    /// Puts the text "Error: " before the result of a failed tool call.
    mutating func markAsFailed() {
        if case .text(let text) = first { self[0] = .text("Error: \(text)") } else { insert(.text("Error: "), at: 0) }
    }
}

package struct ToolCall: Sendable {
    /// The id of the tool call; nil in OpenAI's legacy form.
    package var id: String?
    package var name: String
    /// The arguments as the model wrote them: JSON that may be invalid.
    package var arguments: String
    /// The signature of the reasoning that led to the tool call; nil if there is none.
    package var signature: String?
    /// The number of text bytes (in a response) or content pieces (in a message) before the tool call. By default, the
    /// tool call comes last.
    package var contentBefore = Int.max

    package init(id: String?, name: String, arguments: String) {
        self.id = id
        self.name = name
        // JSON must not begin with a byte order mark.
        self.arguments = arguments.rest(after: "\u{feff}") ?? arguments
    }
}

extension ToolCall {
    /// The key that connects a tool call with its result: the tool call's id, or the tool's name if there is no id.
    package static func key(id: String?, name: String) -> [UInt8] {
        id.map { [1] + Array($0.utf8) } ?? [0] + Array(name.utf8)
    }
}

extension [ChatMessage] {
    /// Assigns the results among the messages at `messageIndices` to the tool calls with these keys. The first result
    /// for a key belongs to the first call with it.
    /// - Returns: the index of the result of each call, nil if it has none; and the indexes of results that no call
    ///   asked for.
    package func results(ofCalls keys: [[UInt8]], at messageIndices: [Int]) -> (found: [Int?], unasked: Set<Int>) {
        var asked: [[UInt8]: ArraySlice<Int>] = [:]
        for (call, key) in keys.enumerated() { asked[key, default: []].append(call) }
        var found = [Int?](repeating: nil, count: keys.count)
        var unasked: Set<Int> = []
        for messageIndex in messageIndices where self[messageIndex].isResult {
            let key = ToolCall.key(id: self[messageIndex].toolCallID, name: self[messageIndex].name ?? "")
            if let call = asked[key]?.popFirst() { found[call] = messageIndex } else { unasked.insert(messageIndex) }
        }
        return (found, unasked)
    }
}

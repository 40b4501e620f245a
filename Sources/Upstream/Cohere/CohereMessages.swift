import Calls
import Engine
import Shared

/// Writes messages as Cohere takes them: none is empty, and each call has one result behind it.
struct CohereMessages: ~Copyable {
    /// A call of the assistant's last message, which waits for its result.
    private struct Waiting {
        let key: [UInt8]
        let id: [UInt8]
    }

    private let messages: [ChatMessage]
    private let attachments: [Attachment]
    private(set) var names: SentNames
    private var ids = SentNames()
    private var waiting: [Waiting] = []
    private var isFirst = true
    private let parser = JSONParser()

    init(_ call: borrowing ChatCall, _ names: SentNames) {
        messages = call.messages
        attachments = call.attachments
        self.names = names
    }

    mutating func append(instruction: String, to out: inout ByteBuffer) {
        open("system", to: &out)
        out.append("content", instruction)
        out.append("}")
    }

    mutating func append(to out: inout ByteBuffer) {
        var place = 0
        while place < messages.count {
            let end = messages[place...].firstIndex { !$0.isResult } ?? messages.count
            if !waiting.isEmpty || end > place { appendResults(place..<end, to: &out) }
            if end < messages.count { append(messages[end], to: &out) }
            place = end + 1
        }
        if !waiting.isEmpty { appendResults(0..<0, to: &out) }
    }

    private mutating func open(_ role: StaticString, to out: inout ByteBuffer) {
        out.append(isFirst ? #"{"role":""# : #",{"role":""#)
        isFirst = false
        out.append(role)
        out.append("\"")
    }

    // MARK: Messages

    private mutating func append(_ message: ChatMessage, to out: inout ByteBuffer) {
        switch message.role {
        case .system, .developer:
            let text = message.text
            guard !text.isEmpty else { return }
            append(instruction: text, to: &out)
        case .assistant:
            open("assistant", to: &out)
            // Thoughts are not taken back.
            let text = message.text
            if !text.isEmpty || message.toolCalls.isEmpty { out.append("content", text.isEmpty ? "." : text) }
            append(message.toolCalls, to: &out)
            out.append("}")
        default:
            open("user", to: &out)
            appendContent(message.content, to: &out)
            out.append("}")
        }
    }

    /// One text, or parts.
    private func appendContent(_ content: [ChatMessage.Piece], to out: inout ByteBuffer) {
        var parts = ByteBuffer()
        for piece in content {
            switch piece {
            case .text(let text), .refusal(let text): append(text: text, to: &parts)
            case .attachment(let place): append(attachments[place], to: &parts)
            case .thought: break
            }
        }
        out.append(member: "content")
        if content.count == 1, case .text(let text) = content[0], !text.isEmpty { return out.append(json: text) }
        if parts.isEmpty { return out.append(#"".""#) }
        out.append("[")
        out.append(parts.bytes)
        out.append("]")
    }

    /// Nothing if it is empty.
    private func append(text: String, to parts: inout ByteBuffer) {
        guard !text.isEmpty else { return }
        parts.append(parts.isEmpty ? #"{"type":"text","text":"# : #",{"type":"text","text":"#)
        parts.append(json: text)
        parts.append("}")
    }

    // MARK: Calls and results

    private mutating func append(_ calls: [ToolCall], to out: inout ByteBuffer) {
        for (index, call) in calls.enumerated() {
            let id = ids.once(call.id.map { Array($0.utf8) } ?? Array("call".utf8))
            waiting.append(Waiting(key: Self.key(id: call.id, name: call.name), id: id))
            out.append(index == 0 ? #","tool_calls":[{"id":"# : #",{"id":"#)
            id.withUnsafeBytes { out.append(json: $0) }
            out.append(#","type":"function","function":{"name":"#)
            names.name(call.name).withUnsafeBytes { out.append(json: $0) }
            out.append(#","arguments":"#)
            append(arguments: call.arguments, to: &out)
            out.append("}}")
        }
        if !calls.isEmpty { out.append("]") }
    }

    /// The text of an object.
    private func append(arguments: String, to out: inout ByteBuffer) {
        let text = ByteBuffer(arguments)
        if let value = try? parser.parse(text.bytes), value.kind == .object { return out.append(json: text.bytes) }
        guard text.bytes.contains(where: { $0 > 32 }) else { return out.append(#""{}""#) }
        var object = ByteBuffer()
        object.append(#"{"_raw":"#)
        object.append(json: text.bytes)
        object.append("}")
        out.append(json: object.bytes)
    }

    /// The older form of calls has no ids.
    private static func key(id: String?, name: String) -> [UInt8] {
        id.map { [1] + Array($0.utf8) } ?? [0] + Array(name.utf8)
    }

    /// One for each call that waits; pictures in them, and results that nobody asked for, come from the user.
    private mutating func appendResults(_ places: Range<Int>, to out: inout ByteBuffer) {
        var results: [[UInt8]: Int] = [:]
        var rest: [ChatMessage.Piece] = []
        let asked = Set(waiting.map(\.key))
        for place in places {
            let message = messages[place]
            let key = Self.key(id: message.toolCallID, name: message.name ?? "")
            if asked.contains(key), results[key] == nil {
                results[key] = place
                for case .attachment(let picture) in message.content { rest.append(.attachment(picture)) }
            } else {
                rest += message.content
            }
        }
        for call in waiting {
            let place = results.removeValue(forKey: call.key)
            open("tool", to: &out)
            out.append(member: "tool_call_id")
            call.id.withUnsafeBytes { out.append(json: $0) }
            let text = place.map { messages[$0].text } ?? "No result."
            out.append("content", text.isEmpty ? "." : text)
            out.append("}")
        }
        waiting = []
        guard !rest.isEmpty else { return }
        open("user", to: &out)
        appendContent(rest, to: &out)
        out.append("}")
    }

    // MARK: Parts that are not text

    private func append(_ part: Attachment, to parts: inout ByteBuffer) {
        switch (part.kind, part.source) {
        case (.picture, .data(let text)):
            if !parts.isEmpty { parts.append(",") }
            parts.append(#"{"type":"image_url","image_url":{"url":"data:"#)
            parts.append(text.contentType?.rawValue ?? "image/png")
            parts.append(";base64,")
            parts.append(jsonContent: text.base64.bytes)
            parts.append(part.isLowDetail ? #"","detail":"low"}}"# : #""}}"#)
        case (_, .data(let text)):
            append(text: String(decoding: Base64.standard.bytes(text.base64.bytes) ?? [], as: UTF8.self), to: &parts)
        case (_, .words(let text)), (_, .kept(let text)), (_, .file(let text)), (_, .address(let text)):
            append(text: text, to: &parts)
        }
    }
}

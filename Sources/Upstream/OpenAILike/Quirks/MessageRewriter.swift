import Engine

/// A rewriter that adapts the messages of a request to the quirks of a server.
struct MessageRewriter {
    /// A message that is not written yet, because the next message may be merged with it.
    fileprivate struct MessageRun {
        let role: String
        var content: [UInt8]?
        /// The JSON of the message's members besides role and content, each with a comma before it.
        let rest: [UInt8]
    }

    /// The quirks for which messages are rewritten.
    static let quirks: [QuirkName] = [
        .shortIDs, .emptyContent, .noEmptyContent, .joinedContent, .mergedTurns, .reasoningBack, .noForeignReasoning,
        .noLongIDs, .oneInstruction, .anySignature, .textResults, .answeredResults, .noPrefill,
    ]
    /// The signature of a tool call that Google does not check.
    static let uncheckedSignature = "skip_thought_signature_validator"
    private static let maxIDBytes = 40

    static func isLong(_ id: String) -> Bool { id.utf8.count > maxIDBytes }

    private let quirks: Set<Quirk>
    private let reasoningBlocks: CallerReasoning?
    private var turns: [MessageRun] = []
    /// The JSON of the parts that the last tool results have lost, each behind a comma.
    private var moved: [UInt8] = []
    /// The client's ids in the last tool results, where the server gets shorter ones.
    private var shortenedIDs: [RawJSON] = []

    init(_ quirks: Set<Quirk>, _ reasoningBlocks: CallerReasoning?) {
        self.quirks = quirks
        self.reasoningBlocks = reasoningBlocks
    }

    mutating func append(_ messages: RawJSON, to out: inout ByteBuffer) {
        for message in messages.elements {
            if !message.isResult { appendMoved() }
            append(message)
            if !message.isResult { shortenedIDs = [] }
        }
        appendMoved()
        if quirks.contains(anyOf: [.oneInstruction, .mergedTurns]) { reduceInstructions() }
        if quirks.contains(.mergedTurns) { turns = merged(turns) }
        if quirks.contains(.answeredResults) { turns = answered(turns) }
        if quirks.contains(.noPrefill), messages.endsWithPlainPrefill {
            turns.append(MessageRun(role: "user", content: Array(#""Continue.""#.utf8), rest: []))
        }
        out.append(array: turns) { turn, out in
            out.append(#"{"role":""#, turn.role, "\"")
            turn.content?.withUnsafeBytes { out.append(#","content":"#, $0, "") }
            turn.rest.withUnsafeBytes { out.append($0) }
            out.append("}")
        }
    }

    // MARK: One message

    private mutating func append(_ message: RawJSON) {
        var role = ""
        var content: [UInt8]?
        var rest = ByteBuffer()
        let isForeign = quirks.contains(.noForeignReasoning) && message.hasForeignReasoning
        let lacksReasoning = quirks.contains(.reasoningBack) && (isForeign ? message.hasCalls : message.lacksReasoning)
        for member in message.members {
            switch member.name {
            case "role": role = member.value.content?.text ?? ""
            case "content" where quirks.contains(.textResults) && message.hasPartsInResult:
                content = textOfResult(message, member.value)
            case "content" where !shortenedIDs.isEmpty && !message.isResult && member.value.isArray:
                let written = withShortIDs(member.value)
                content = self.content(RawJSON(written.bytes))
            case "content": content = self.content(member.value)
            case "tool_call_id" where isShortened(member.value):
                shortenedIDs.append(member.value)
                rest.append(#","tool_call_id":"#)
                append(id: member.value, to: &rest)
            case "tool_calls" where isForeign || quirks.contains(anyOf: [.shortIDs, .noLongIDs, .anySignature]):
                rest.append(#","tool_calls":"#)
                var isSigned = !quirks.contains(.anySignature)
                member.value.append(to: &rest) { call, out in
                    append(call: call, hasNoExtras: isForeign, to: &out)
                    if !isSigned, isForeign || call["extra_content"] == nil {
                        Self.appendSignature(to: &out)
                    }
                    isSigned = true
                }
            case "reasoning_content" where lacksReasoning || isForeign: continue
            case "reasoning" where isForeign: continue
            case "extra_content" where isForeign: continue
            default:
                rest.append(",")
                rest.append(member)
            }
        }
        if lacksReasoning { append(reasoningOf: message, to: &rest) }
        if quirks.contains(.noEmptyContent), message.hasEmptyContentBesideCalls {
            content = nil
        } else if content == nil, quirks.contains(.emptyContent) {
            content = Array("\"\"".utf8)
        }
        turns.append(MessageRun(role: role, content: content, rest: Array(rest.bytes)))
    }

    private func append(call: RawJSON, hasNoExtras: Bool, to out: inout ByteBuffer) {
        call.append(to: &out, leavingOut: { hasNoExtras && $0.name.equals("extra_content") }) { member, out in
            guard member.name.equals("id"), isShortened(member.value) else { return false }
            out.append(#""id":"#)
            append(id: member.value, to: &out)
            return true
        }
    }

    /// Adds a signature that Google does not check to a written tool call.
    private static func appendSignature(to out: inout ByteBuffer) {
        out.removeLast(1)
        let signature = Self.uncheckedSignature
        out.append(#","extra_content":{"google":{"thought_signature":"\#(signature)"}}}"#)
    }

    /// Appends the member `reasoning_content`: the remembered reasoning that led to the message's tool calls. It is
    /// empty if the relay remembers no reasoning.
    private func append(reasoningOf message: RawJSON, to out: inout ByteBuffer) {
        let id = message.list("tool_calls").first?["id"]?.content
        let known = id.flatMap { reasoningBlocks?.part(.reasoning, ofCall: $0.text) }
        out.append(#","reasoning_content":"#, json: known?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Returns the JSON of a message's content; nil if an empty text must replace the content `null` or `[]`.
    private func content(_ value: RawJSON) -> [UInt8]? {
        if value.isNull || value.isEmptyArray { return quirks.contains(.emptyContent) ? nil : Array(value.bytes) }
        guard quirks.contains(.joinedContent), value.isArray, value.elements.allSatisfy({ $0.words != nil }) else {
            return Array(value.bytes)
        }
        return joinedText(of: value)
    }

    private func joinedText(of parts: RawJSON) -> [UInt8] {
        var joined = ByteBuffer("\"")
        for part in parts.elements {
            guard let text = part.words?.content, !text.isEmpty else { continue }
            if joined.count > 1, !joined.bytes.endsLine, !text.hasPrefix(#"\n"#) { joined.append(#"\n"#) }
            joined.append(text)
        }
        joined.append("\"")
        return Array(joined.bytes)
    }

    /// Returns the text of a tool result, whose other parts are moved.
    private mutating func textOfResult(_ message: RawJSON, _ content: RawJSON) -> [UInt8] {
        var parts = ByteBuffer(#",{"type":"text","text":"#)
        let id = message["tool_call_id"] ?? RawJSON(UnsafeRawBufferPointer(start: nil, count: 0))
        append(labelOf: id, isSent: true, to: &parts)
        parts.append("}")
        for part in content.elements where part.words == nil { parts.append(",", part.bytes, "") }
        moved += Array(parts.bytes)
        let text = joinedText(of: content)
        return text.count > 2 ? text : Array("\"\(ChatMessage.attachmentsFollow)\"".utf8)
    }

    private mutating func appendMoved() {
        guard !moved.isEmpty else { return }
        turns.append(MessageRun(role: "user", content: Array("[".utf8) + moved.dropFirst() + Array("]".utf8), rest: []))
        moved = []
    }

    /// Appends the line before the attachments of a tool call's result, as JSON.
    /// - Parameter isSent: whether the line names the id that the server gets, and not the client's.
    private func append(labelOf id: RawJSON, isSent: Bool, to out: inout ByteBuffer) {
        var sent = ByteBuffer()
        if isSent, isShortened(id) { append(id: id, to: &sent) } else { sent.append(id.bytes) }
        let marks = ChatMessage.attachmentMarks
        out.append("\"", marks.opening, "")
        if sent.count > 2 { out.append(sent.bytes[part: 1..<(sent.count - 1)]) }
        out.append(marks.closing)
        out.append("\"")
    }

    /// Returns the content of a message whose attachments come from tool results: their lines name the ids that are
    /// sent.
    private func withShortIDs(_ content: RawJSON) -> Body {
        var ids: [[UInt8]: RawJSON] = [:]
        for id in shortenedIDs {
            var label = ByteBuffer()
            append(labelOf: id, isSent: false, to: &label)
            ids[Array(label.bytes)] = id
        }
        var out = ByteBuffer()
        content.append(to: &out) { (part: RawJSON, out: inout ByteBuffer) in
            part.append(to: &out) { member, out in
                guard member.value.content?.hasPrefix(ChatMessage.attachmentMarks.opening) ?? false,
                    let id = ids[Array(member.value.bytes)]
                else { return false }
                out.append("\"", member.name, "\":")
                append(labelOf: id, isSent: true, to: &out)
                return true
            }
        }
        return Body(out)
    }

    private func isShortened(_ id: RawJSON) -> Bool {
        quirks.contains(.shortIDs)
            || quirks.contains(.noLongIDs) && (id.content?.text).map(Self.isLong) ?? false
    }

    /// Appends an id of nine characters that replaces `id`. Equal ids get equal replacements.
    private func append(id: RawJSON, to out: inout ByteBuffer) {
        let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        out.append("\"")
        Digest(of: id.bytes)
            .withBytes { bytes in for byte in bytes.prefix(9) { out.append(digits[Int(byte) % digits.count]) } }
        out.append("\"")
    }

    // MARK: Neighbours

    /// Merges the instructions at the beginning. Later ones become messages of the user, after the results of tool
    /// calls.
    private mutating func reduceInstructions() {
        let start = turns.firstIndex { !$0.isInstruction } ?? turns.count
        let later = turns[start...]
        turns = merged(turns[..<start])
        var held: [MessageRun] = []
        for turn in later {
            if turn.isInstruction {
                if let reminder = turn.asReminder { held.append(reminder) }
                continue
            }
            if turn.role != "tool" {
                turns += held
                held = []
            }
            turns.append(turn)
        }
        turns += held
    }

    private func answered(_ turns: [MessageRun]) -> [MessageRun] {
        var answered: [MessageRun] = []
        for turn in turns {
            if turn.role == "user", answered.last?.role == "tool" {
                answered.append(MessageRun(role: "assistant", content: Array(#""OK""#.utf8), rest: []))
            }
            answered.append(turn)
        }
        return answered
    }

    private func merged(_ turns: some Sequence<MessageRun>) -> [MessageRun] {
        var merged: [MessageRun] = []
        for turn in turns {
            if let last = merged.indices.last, merged[last].isMergeable(with: turn) {
                // A list of parts stays as it is when a later request adds a message of the user.
                let isList = turn.role == "user" && !quirks.contains(.joinedContent)
                merged[last].content = Self.joined(merged[last].content ?? [], turn.content ?? [], isList: isList)
            } else {
                merged.append(turn)
            }
        }
        return merged
    }

    private static func joined(_ one: [UInt8], _ other: [UInt8], isList: Bool) -> [UInt8] {
        let quote = UInt8(ascii: "\"")
        if one.first == quote, other.first == quote, !isList {
            return one.dropLast() + Array("\\n\\n".utf8) + other.dropFirst()
        }
        func parts(_ content: [UInt8], after gap: String) -> [UInt8] {
            content.first == quote
                ? Array(#"{"type":"text","text":""#.utf8) + Array(gap.utf8) + content.dropFirst() + [UInt8(ascii: "}")]
                : Array(content.dropFirst().dropLast())
        }
        let other = parts(other, after: #"\n\n"#)
        return [UInt8(ascii: "[")] + parts(one, after: "") + [UInt8(ascii: ",")] + other + [UInt8(ascii: "]")]
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the text of a JSON string, with its escapes, ends with a line feed.
    fileprivate var endsLine: Bool {
        guard last == UInt8(ascii: "n") else { return false }
        return !dropLast().reversed().prefix { $0 == UInt8(ascii: "\\") }.count.isMultiple(of: 2)
    }
}

extension RawJSON {
    /// Whether the last of these messages is the assistant's, without the mark of Mistral and DeepSeek for a beginning
    /// that the model continues.
    var endsWithPlainPrefill: Bool {
        guard let last = Array(elements).last, last["role"]?.content == "assistant" else { return false }
        return last["prefix"]?.bytes.equals("true") != true
    }

    /// Whether the message contains tool calls but not the reasoning that led to them.
    var lacksReasoning: Bool { hasCalls && self["reasoning_content"]?.isNull ?? true }

    var isEmptyArray: Bool { isArray && !elements.contains { _ in true } }

    /// Whether the message has tool calls, and an empty text as its content.
    var hasEmptyContentBesideCalls: Bool { hasCalls && self["content"]?.content?.isEmpty ?? false }

    var hasCalls: Bool { !list("tool_calls").isEmpty }

    fileprivate var isResult: Bool { self["role"]?.content == "tool" }

    /// Whether the message is a tool result with parts that are not text.
    var hasPartsInResult: Bool { isResult && list("content").contains { $0.words == nil } }

    /// The text of a part of a message; nil for other parts.
    fileprivate var words: RawJSON? { self["text"] ?? self["refusal"] }

    /// Whether the message or a tool call has a signature in the form that the relay writes for clients.
    fileprivate var hasForeignReasoning: Bool {
        self["extra_content"]?["thought_signature"] != nil
            || list("tool_calls").contains { $0["extra_content"] != nil && $0.isNamedByRelay }
    }

    /// Whether the tool call's id has the form of the ids that the relay makes.
    private var isNamedByRelay: Bool {
        guard let id = self["id"]?.content, id.count == 29, id.hasPrefix("call_") else { return false }
        return id.dropFirst(5).allSatisfy(\.isLetterOrDigit)
    }
}

extension MessageRewriter.MessageRun {
    /// The instruction as a message of the user; nil if it has no text.
    fileprivate var asReminder: MessageRewriter.MessageRun? {
        guard let content, content.count > 2 else { return nil }
        var reminder = ByteBuffer()
        content.withUnsafeBytes { reminder.append(reminderOf: RawJSON($0)) }
        return MessageRewriter.MessageRun(role: "user", content: Array(reminder.bytes), rest: rest)
    }

    fileprivate var isInstruction: Bool { role == "system" || role == "developer" }

    fileprivate func isMergeable(with next: MessageRewriter.MessageRun) -> Bool {
        let isSpoken = role == "user" || role == "assistant"
        return (isInstruction && next.isInstruction || isSpoken && role == next.role)
            && [self, next].allSatisfy { run in
                run.rest.isEmpty && run.content.map { $0.first != UInt8(ascii: "n") } ?? false
            }
    }
}

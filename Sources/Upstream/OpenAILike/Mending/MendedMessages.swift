import Engine

/// Writes messages anew as their server wants them.
struct MendedMessages {
    /// A message that is held back, as the next one may belong to it.
    fileprivate struct Turn {
        let role: [UInt8]
        /// JSON: a text, or parts.
        var content: [UInt8]?
        /// Other members, each with a comma before it.
        let rest: [UInt8]
    }

    private let mends: Mends
    private let thoughts: CallerThoughts?
    private var turns: [Turn] = []

    init(_ mends: Mends, _ thoughts: CallerThoughts?) {
        self.mends = mends
        self.thoughts = thoughts
    }

    mutating func append(_ messages: RawJSON, to out: inout ByteBuffer) {
        for message in messages.elements { take(message) }
        if mends.contains(.mergedTurns) {
            let instructions = turns.filter(\.isInstruction)
            turns = instructions + turns.filter { !$0.isInstruction }
            merge()
        }
        out.append("[")
        for (index, turn) in turns.enumerated() {
            out.append(index == 0 ? #"{"role":""# : #",{"role":""#)
            turn.role.withUnsafeBytes { out.append($0) }
            out.append("\"")
            if let content = turn.content {
                out.append(#","content":"#)
                content.withUnsafeBytes { out.append($0) }
            }
            turn.rest.withUnsafeBytes { out.append($0) }
            out.append("}")
        }
        out.append("]")
    }

    // MARK: One message

    private mutating func take(_ message: RawJSON) {
        var role: [UInt8] = []
        var content: [UInt8]?
        var rest = ByteBuffer()
        let lacksThought = mends.contains(.thoughtsBack) && message.lacksThought
        for member in message.members {
            switch member.name {
            case "role":
                let name = member.value.content ?? UnsafeRawBufferPointer(start: nil, count: 0)
                let isMended = mends.contains(.noDeveloper) && name.equals("developer")
                role = isMended ? Array("system".utf8) : Array(name)
            case "content": content = self.content(member.value)
            case "name" where mends.contains(.noNames): continue
            case "tool_call_id" where mends.contains(.shortIDs):
                rest.append(#","tool_call_id":"#)
                append(id: member.value, to: &rest)
            case "tool_calls" where mends.contains(.shortIDs):
                rest.append(#","tool_calls":"#)
                member.value.append(to: &rest) { call, out in
                    call.append(to: &out) { member, out in
                        guard member.name.equals("id") else { return false }
                        out.append(#""id":"#)
                        append(id: member.value, to: &out)
                        return true
                    }
                }
            case "reasoning_content" where lacksThought: continue
            default:
                rest.append(",")
                rest.append(member)
            }
        }
        if lacksThought { append(thoughtOf: message, to: &rest) }
        if content == nil, mends.contains(.emptyContent) { content = Array("\"\"".utf8) }
        turns.append(Turn(role: role, content: content, rest: Array(rest.bytes)))
    }

    /// One that nobody remembers is empty.
    private func append(thoughtOf message: RawJSON, to out: inout ByteBuffer) {
        let first = message["tool_calls"]?.elements.first { _ in true }
        let known = first?["id"]?.content.flatMap { thoughts?.thought(ofCall: $0.text) }
        out.append(#","reasoning_content":"#)
        out.append(json: known?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Nil: it is null, and stays away.
    private func content(_ value: RawJSON) -> [UInt8]? {
        if value.isNull { return mends.contains(.emptyContent) ? nil : Array(value.bytes) }
        guard mends.contains(.joinedContent), value.isArray, value.elements.allSatisfy({ $0["text"] != nil }) else {
            return Array(value.bytes)
        }
        var joined = ByteBuffer("\"")
        for part in value.elements { if let text = part["text"]?.content { joined.append(text) } }
        joined.append("\"")
        return Array(joined.bytes)
    }

    /// The same id becomes the same nine characters, in calls and in results.
    private func append(id: RawJSON, to out: inout ByteBuffer) {
        let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        out.append("\"")
        Digest(of: id.bytes)
            .withBytes { bytes in for byte in bytes.prefix(9) { out.append(digits[Int(byte) % digits.count]) } }
        out.append("\"")
    }

    // MARK: Neighbours

    private mutating func merge() {
        var merged: [Turn] = []
        for turn in turns {
            if let last = merged.indices.last, merged[last].isMergeable(with: turn) {
                merged[last].content = Self.joined(merged[last].content ?? [], turn.content ?? [])
            } else {
                merged.append(turn)
            }
        }
        turns = merged
    }

    /// Two texts with a blank line between them, or parts of both.
    private static func joined(_ one: [UInt8], _ other: [UInt8]) -> [UInt8] {
        let quote = UInt8(ascii: "\"")
        if one.first == quote, other.first == quote {
            return one.dropLast() + Array("\\n\\n".utf8) + other.dropFirst()
        }
        func parts(_ content: [UInt8]) -> [UInt8] {
            content.first == quote
                ? Array(#"{"type":"text","text":"#.utf8) + content + [UInt8(ascii: "}")]
                : Array(content.dropFirst().dropLast())
        }
        return [UInt8(ascii: "[")] + parts(one) + [UInt8(ascii: ",")] + parts(other) + [UInt8(ascii: "]")]
    }
}

extension RawJSON {
    /// It is a message with calls, and without the thought that led to them.
    var lacksThought: Bool {
        guard self["tool_calls"]?.elements.contains(where: { _ in true }) ?? false else { return false }
        return self["reasoning_content"]?.isNull ?? true
    }
}

extension MendedMessages.Turn {
    fileprivate var isInstruction: Bool { role.elementsEqual("system".utf8) || role.elementsEqual("developer".utf8) }

    /// Neither has more than text and parts.
    fileprivate func isMergeable(with next: MendedMessages.Turn) -> Bool {
        let isSpoken = isInstruction || role.elementsEqual("user".utf8) || role.elementsEqual("assistant".utf8)
        return isSpoken && role == next.role && rest.isEmpty && next.rest.isEmpty && content != nil
            && next.content != nil && content?.first != UInt8(ascii: "n") && next.content?.first != UInt8(ascii: "n")
    }
}

import Calls
import Engine

/// A rewriter that adapts a request to the quirks of a server.
struct RequestRewriter {
    private let quirks: LearnedQuirks
    private let hasTools: Bool
    private let reasoningBlocks: CallerReasoning?

    /// Returns the request, changed for these quirks of the vendor's server.
    ///
    /// - Parameter reasoningBlocks: the reasoning that is remembered for the caller; nil if none is.
    static func written(_ body: Body, with quirks: LearnedQuirks, _ reasoningBlocks: CallerReasoning? = nil) -> Body {
        if quirks.isEmpty { return body }
        let body = quirks.contains(.shortNames) ? ToolNameShortener.written(body) : body
        let quirks = quirks.subtracting(.shortNames)
        if quirks.isEmpty { return body }
        let root = RawJSON(body.bytes)
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count + 256)
        RequestRewriter(quirks: quirks, hasTools: root["tools"] != nil, reasoningBlocks: reasoningBlocks).append(
            root,
            to: &out
        )
        return Body(out)
    }

    private func append(_ root: RawJSON, to out: inout ByteBuffer) {
        let hasNoEffort = quirks.contains(.noEffort)
        root.append(to: &out, leavingOut: { hasNoEffort && $0.name.equals("reasoning_effort") }) { member, out in
            out.append("\"", member.name, "\":")
            append(member, to: &out)
            return true
        }
    }

    private func append(_ member: RawJSON.Member, to out: inout ByteBuffer) {
        switch member.name {
        case "reasoning_effort":
            guard let effort = effort(member.value) else { break }
            out.append("\"")
            out.append(effort)
            return out.append("\"")
        case "reasoning" where !quirks.isDisjoint(with: .ofEffort) && member.value.isObject:
            return append(reasoning: member.value, to: &out)
        case "tools" where quirks.contains(.noStrict): return appendTools(member.value, to: &out)
        case "messages" where !quirks.isDisjoint(with: .ofMessages):
            var messages = MessageRewriter(quirks, reasoningBlocks)
            return messages.append(member.value, to: &out)
        default: break
        }
        out.append(member.value.bytes)
    }

    /// Returns the reasoning effort that replaces the requested one; nil if the effort is not changed.
    private func effort(_ reported: RawJSON) -> StaticString? {
        quirks.contains(.effortNone) && hasTools ? "none" : reported.content.flatMap { quirks.nearest(to: $0) }
    }

    private func append(reasoning: RawJSON, to out: inout ByteBuffer) {
        if quirks.contains(.noEffort) { return reasoning.append(to: &out, without: "effort") }
        reasoning.append(to: &out) { member, out in
            guard member.name.equals("effort"), let effort = effort(member.value) else { return false }
            out.append(#""effort":""#, effort, "\"")
            return true
        }
    }

    /// Appends the tools without the member `strict`.
    private func appendTools(_ tools: RawJSON, to out: inout ByteBuffer) {
        tools.append(to: &out) { tool, out in
            guard tool["function"] != nil else { return tool.append(to: &out, without: "strict") }
            tool.append(to: &out) { member, out in
                guard member.name.equals("function") else { return false }
                out.append(#""function":"#)
                member.value.append(to: &out, without: "strict")
                return true
            }
        }
    }
}

extension RawJSON {
    /// Appends this JSON array. `write` must append each element or a replacement.
    func append(to out: inout ByteBuffer, _ write: (RawJSON, inout ByteBuffer) -> Void) {
        out.append(array: elements) { element, out in write(element, &out) }
    }

    /// Appends this JSON object. `write` appends a replacement for a member and returns true, or returns false to keep
    /// the member.
    func append(to out: inout ByteBuffer, _ write: (Member, inout ByteBuffer) -> Bool) {
        append(to: &out, leavingOut: { _ in false }, write)
    }

    func append(to out: inout ByteBuffer, without name: StaticString) {
        append(to: &out, leavingOut: { $0.name.equals(name) })
    }

    /// Appends this JSON object without some members. `write` appends a replacement for another member and returns true,
    /// or returns false to keep the member.
    func append(
        to out: inout ByteBuffer,
        leavingOut isLeftOut: (Member) -> Bool,
        _ write: (Member, inout ByteBuffer) -> Bool = { _, _ in false }
    ) {
        out.append("{")
        var isFirst = true
        for member in members where !isLeftOut(member) {
            if !isFirst { out.append(",") }
            isFirst = false
            if !write(member, &out) { out.append(member) }
        }
        out.append("}")
    }
}

extension ByteBuffer {
    mutating func append(_ member: RawJSON.Member) {
        append("\"", member.name, "\":")
        append(member.value.bytes)
    }
}

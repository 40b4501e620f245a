import Engine

/// Rewrites a request for a server with quirks. All else stays as it was written.
struct MendedRequest {
    private let mends: Mends
    private let hasTools: Bool
    private let thoughts: CallerThoughts?

    /// Returns the rewritten request.
    ///
    /// - Parameter thoughts: the caller's remembered reasoning; nil if none is remembered.
    static func written(_ body: Body, with mends: Mends, _ thoughts: CallerThoughts? = nil) -> Body {
        if mends.isEmpty { return body }
        let root = RawJSON(body.bytes)
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count + 256)
        MendedRequest(mends: mends, hasTools: root["tools"] != nil, thoughts: thoughts).append(root, to: &out)
        return Body(out)
    }

    private func append(_ root: RawJSON, to out: inout ByteBuffer) {
        out.append("{")
        var isFirst = true
        for member in root.members where !isLeftOut(member) {
            if !isFirst { out.append(",") }
            isFirst = false
            out.append("\"")
            append(name: member.name, to: &out)
            out.append("\":")
            append(member, to: &out)
        }
        out.append("}")
    }

    private func isLeftOut(_ member: RawJSON.Member) -> Bool {
        switch member.name {
        case "stream_options": mends.contains(.noStreamOptions)
        case "temperature": mends.contains(.noTemperature)
        case "top_p": mends.contains(.noTopP)
        case "presence_penalty": mends.contains(.noPresencePenalty)
        case "frequency_penalty": mends.contains(.noFrequencyPenalty)
        case "parallel_tool_calls": mends.contains(.noParallel)
        case "reasoning_effort": mends.contains(.noEffort)
        default: mends.leavesOut(member.name)
        }
    }

    private func append(name: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        switch name {
        case "max_tokens" where mends.contains(.newBound): out.append("max_completion_tokens")
        case "max_completion_tokens" where mends.contains(.oldBound): out.append("max_tokens")
        case "seed" where mends.contains(.randomSeed): out.append("random_seed")
        default: out.append(name)
        }
    }

    private func append(_ member: RawJSON.Member, to out: inout ByteBuffer) {
        switch member.name {
        case "reasoning_effort":
            guard let effort = effort(member.value) else { break }
            out.append("\"")
            out.append(effort)
            return out.append("\"")
        case "reasoning" where !mends.isDisjoint(with: .ofEffort) && member.value.isObject:
            return append(reasoning: member.value, to: &out)
        // The Responses API has `verbosity` in this object.
        case "text" where !mends.isDisjoint(with: .allSpare) && member.value.isObject:
            return member.value.append(to: &out, leavingOut: { mends.leavesOut($0.name) })
        case "tools" where mends.contains(.noStrict): return appendTools(member.value, to: &out)
        case "messages" where !mends.isDisjoint(with: .ofMessages):
            var messages = MendedMessages(mends, thoughts)
            return messages.append(member.value, to: &out)
        default: break
        }
        out.append(member.value.bytes)
    }

    /// Returns the effort to send instead; nil if the effort is not changed.
    private func effort(_ told: RawJSON) -> StaticString? {
        mends.contains(.effortNone) && hasTools ? "none" : told.content.flatMap { mends.nearest(to: $0) }
    }

    private func append(reasoning: RawJSON, to out: inout ByteBuffer) {
        if mends.contains(.noEffort) { return reasoning.append(to: &out, without: "effort") }
        reasoning.append(to: &out) { member, out in
            guard member.name.equals("effort"), let effort = effort(member.value) else { return false }
            out.append(#""effort":""#)
            out.append(effort)
            out.append("\"")
            return true
        }
    }

    /// Appends tools without `strict`. Tools of the Responses API have no `function` object.
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
    /// Appends the array, with each element written by `write`.
    func append(to out: inout ByteBuffer, _ write: (RawJSON, inout ByteBuffer) -> Void) {
        out.append("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { out.append(",") }
            write(element, &out)
        }
        out.append("]")
    }

    /// Appends the object, with each member written by `write`, or unchanged where `write` returns false.
    func append(to out: inout ByteBuffer, _ write: (Member, inout ByteBuffer) -> Bool) {
        out.append("{")
        for (index, member) in members.enumerated() {
            if index > 0 { out.append(",") }
            if !write(member, &out) { out.append(member) }
        }
        out.append("}")
    }

    func append(to out: inout ByteBuffer, without name: StaticString) {
        append(to: &out, leavingOut: { $0.name.equals(name) })
    }

    func append(to out: inout ByteBuffer, leavingOut isLeftOut: (Member) -> Bool) {
        out.append("{")
        var isFirst = true
        for member in members where !isLeftOut(member) {
            if !isFirst { out.append(",") }
            isFirst = false
            out.append(member)
        }
        out.append("}")
    }
}

extension ByteBuffer {
    mutating func append(_ member: RawJSON.Member) {
        append("\"")
        append(member.name)
        append("\":")
        append(member.value.bytes)
    }
}

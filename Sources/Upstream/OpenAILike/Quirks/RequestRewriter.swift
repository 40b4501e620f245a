import Engine

/// A rewriter that adapts a request to the quirks of a server.
enum RequestRewriter {
    /// Returns the request, changed for these quirks of the vendor's server.
    /// - Parameter reasoningBlocks: the reasoning that is remembered for the caller; nil if none is.
    static func written(_ body: Body, with quirks: Set<Quirk>, _ reasoningBlocks: CallerReasoning? = nil) -> Body {
        if quirks.isEmpty { return body }
        var body = quirks.contains(.shortNames) ? ToolNameShortener.written(body) : body
        if quirks.contains(.singleCalls) { body = ToolCallSplitter.written(body) }
        guard quirks.contains(anyOf: MessageRewriter.quirks) else { return body }
        return body.replacing("messages") { messages, out in
            var rewriter = MessageRewriter(quirks, reasoningBlocks)
            rewriter.append(messages, to: &out)
        }
    }
}

extension Body {
    /// Returns this JSON object with another value of the member `name`, which `write` appends.
    func replacing(_ name: StaticString, _ write: (RawJSON, inout ByteBuffer) -> Void) -> Body {
        var out = ByteBuffer()
        _ = out.reserve(bytes.count + 256)
        RawJSON(bytes).append(to: &out, replacing: name, write)
        return Body(out)
    }
}

extension RawJSON {
    /// Returns the elements of the list with this name; none if the value is absent or no list.
    func list(_ name: StaticString) -> [RawJSON] { self[name].map { Array($0.elements) } ?? [] }

    /// Appends this JSON object. `write` appends another value of the member `name`.
    func append(to out: inout ByteBuffer, replacing name: StaticString, _ write: (RawJSON, inout ByteBuffer) -> Void) {
        append(to: &out) { member, out in
            guard member.name.equals(name) else { return false }
            out.append("\"", member.name, "\":")
            write(member.value, &out)
            return true
        }
    }

    /// Appends this JSON array. `write` must append each element or a replacement.
    func append(to out: inout ByteBuffer, _ write: (RawJSON, inout ByteBuffer) -> Void) {
        out.append(array: elements) { element, out in write(element, &out) }
    }

    /// Appends this JSON object, perhaps without some members. `write` appends a replacement for another member and
    /// returns true, or returns false to keep the member.
    func append(
        to out: inout ByteBuffer,
        leavingOut isLeftOut: (Member) -> Bool = { _ in false },
        _ write: (Member, inout ByteBuffer) -> Bool
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

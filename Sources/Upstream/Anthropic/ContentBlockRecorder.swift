import Engine

/// Records the content blocks of a response that the vendor may pause, in the form in which the vendor accepts them
/// back. Responses without the vendor's own tools are hardly ever paused, so only short ones are recorded.
struct ContentBlockRecorder: ~Copyable {
    private enum Kind: Equatable {
        case text
        case thinking
        /// A block whose input comes in chunks, such as a tool call.
        case use
        case other
    }

    /// Whether the blocks are recorded. False from the start if it is not needed, and after the limit is exceeded.
    private var keeps: Bool
    private var kind: Kind?
    /// The content of the open block: its text, its reasoning, or its input as JSON.
    private var said = ByteBuffer()
    private var signature = ByteBuffer()
    /// The start of the open block, if it is neither text nor reasoning.
    private var opening = ByteBuffer()
    private var written = ByteBuffer()
    private var limitBytes = ContentBlockRecorder.textLimitBytes

    private static let textLimitBytes = 4_096
    private static let limitBytes = 1_048_576

    init(keeps: Bool) { self.keeps = keeps }

    // MARK: Blocks

    /// Begins a block and ends the one before.
    ///
    /// - Parameter isAlone: whether no other block is open.
    mutating func begin(_ block: JSONValue, isAlone: Bool) {
        guard keeps else { return }
        guard isAlone else { return drop() }
        write()
        switch block["type"]?.text {
        case "text":
            kind = .text
            add(block["text"]?.text)
        case "thinking":
            kind = .thinking
            add(block["thinking"]?.text)
            if let signature = block["signature"]?.text { add(signature: signature) }
        case let type:
            let isOfReasoning = type.map { $0.equals("redacted_thinking") } ?? false
            if !isOfReasoning { limitBytes = Self.limitBytes }
            kind = block["input"]?.kind == .object ? .use : .other
            block.append(to: &opening)
            check()
        }
    }

    /// Records a block of a response that was not streamed.
    mutating func add(whole block: JSONValue) {
        limitBytes = Self.limitBytes
        begin(block, isAlone: true)
    }

    /// Appends a chunk of the open block's text, reasoning or input.
    @inline(__always)
    mutating func add(_ piece: UnsafeRawBufferPointer?) {
        guard keeps, let piece else { return }
        said.append(piece)
        check()
    }

    mutating func add(signature piece: UnsafeRawBufferPointer) {
        guard keeps else { return }
        signature.append(piece)
        check()
    }

    private mutating func check() {
        if said.count + signature.count + opening.count + written.count > limitBytes { drop() }
    }

    private mutating func drop() {
        keeps = false
        said.release()
        signature.release()
        opening.release()
        written.release()
    }

    // MARK: Writing

    /// Returns all blocks as a JSON list and clears them; nil if they were not recorded, or there are none.
    mutating func removeBody() -> Body? {
        guard keeps else { return nil }
        write()
        guard keeps, !written.isEmpty else { return nil }
        var out = ByteBuffer()
        out.append("[")
        out.append(written.bytes)
        out.append("]")
        written.removeAll()
        return Body(out)
    }

    private mutating func write() {
        switch kind {
        case .text:
            open(#"{"type":"text","text":"#)
            written.append(json: said.bytes)
            written.append("}")
        case .thinking where !signature.isEmpty:
            open(#"{"type":"thinking","thinking":"#)
            written.append(json: said.bytes)
            written.append(#","signature":"#)
            written.append(json: signature.bytes)
            written.append("}")
        case .use where !said.isEmpty: writeUse()
        case .use, .other:
            open("")
            written.append(opening.bytes)
        case .thinking, nil: break
        }
        kind = nil
        said.removeAll()
        signature.removeAll()
        opening.removeAll()
    }

    private mutating func writeUse() {
        let parser = JSONParser()
        let isObject = withExtendedLifetime(parser) { (try? parser.parse(said.bytes))?.kind == .object }
        guard isObject else { return drop() }
        let text = said.bytes
        var out = ByteBuffer()
        RawJSON(opening.bytes).append(to: &out) { (member, out) -> Bool in
            guard member.name.equals("input") else { return false }
            out.append(#""input":"#)
            out.append(text)
            return true
        }
        open("")
        written.append(out.bytes)
    }

    private mutating func open(_ text: StaticString) {
        if !written.isEmpty { written.append(",") }
        written.append(text)
    }
}

import Engine

/// Records the content blocks of a response. If the vendor pauses, the next request repeats these blocks.
struct ContentBlockRecorder: ~Copyable {
    private enum Kind: Equatable {
        case text
        case thinking
        /// A block whose `input` arrives in pieces, such as a tool call.
        case use
        case other
    }

    /// Whether blocks are recorded. The recording stops, for example, if the record becomes too large.
    private var keeps: Bool
    private var kind: Kind?
    /// The content of the open block so far: its text, its reasoning, or its `input` as JSON.
    private var said = ByteBuffer()
    private var signature = ByteBuffer()
    /// The JSON object with which the vendor began the open block; empty for text and thinking.
    private var opening = ByteBuffer()
    private var written = ByteBuffer()
    private var limitBytes = ContentBlockRecorder.textLimitBytes

    // Vendors rarely pause a response with only text and reasoning.
    private static let textLimitBytes = 4_096
    private static let limitBytes = 1_048_576

    init(keeps: Bool) { self.keeps = keeps }

    // MARK: Blocks

    /// Begins to record a new block.
    /// - Parameter isAlone: whether the vendor has ended all previous blocks. If false, the recording stops.
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

    /// Records a complete block of a response that is not streamed.
    mutating func add(whole block: JSONValue) {
        limitBytes = Self.limitBytes
        begin(block, isAlone: true)
    }

    /// Appends a piece to the content of the open block: text, reasoning, or a part of `input`.
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

    /// Removes and returns all recorded blocks as a JSON array; nil if there are none or the recording has stopped.
    mutating func removeBody() -> Body? {
        guard keeps else { return nil }
        write()
        guard keeps, !written.isEmpty else { return nil }
        var out = ByteBuffer()
        out.append("[", written.bytes, "]")
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
            written.append(#","signature":"#, json: signature.bytes, "}")
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
        guard JSONParser.read(said.bytes, { $0.kind }) == .object else { return drop() }
        let text = said.bytes
        var out = ByteBuffer()
        RawJSON(opening.bytes).append(to: &out, replacing: "input") { $1.append(text) }
        open("")
        written.append(out.bytes)
    }

    private mutating func open(_ text: StaticString) {
        if !written.isEmpty { written.append(",") }
        written.append(text)
    }
}

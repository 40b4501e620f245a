package import Engine

/// A parser that finds the tool calls in a response that arrives in chunks. Tool calls in quoted code are treated as
/// text.
///
/// The result does not depend on how the response is split. The parser takes linear time and limited memory.
package struct ToolCallParser: ~Copyable {
    enum ParserPhase {
        /// The phase at the beginning of a response, which might be a tool call without a tag.
        case opening
        case text
        /// The phase within bytes that might become an opening tag.
        case tag
        /// The phase after an opening tag, before the JSON of the tool call.
        case seeking
        case value
        /// The phase after an error in the JSON of a tool call, before the closing tag.
        case recovery
        /// The phase within a tool call whose opening tag contains the tool's name.
        case named
        /// The phase after the JSON of a tool call, before a closing tag or another call.
        case after
        /// The phase in a code block with a tool call, at the beginning of the response.
        case fenced
        /// The phase in which further output is ignored.
        case over
    }

    /// The largest size of a tool call with its tags, in bytes.
    package static let limitBytes = 1_048_576 + 65_536
    /// The largest amount of white space that is held back, in bytes.
    static let spaceLimitBytes = 256

    let reader: ToolCallReader
    let maxCalls: Int
    /// Whether the request demands a tool call. If so, tool calls in code blocks are parsed, too.
    let requiresValidOutput: Bool
    var phase = ParserPhase.opening
    /// The bytes that might belong to a tool call and are not emitted yet.
    var held = ByteBuffer()
    /// The white space at the end of the text, which is not emitted yet.
    var spaces = ByteBuffer()
    /// The number of bytes at the start of `spaces` that `plain(_:)` has returned. They are removed later.
    private var passedBytes = 0
    var marks = MarkdownCodeTracker()
    var scan = ValueScan()
    /// The index in `held` at which the tool call's JSON starts, or the tool's name if the tag contains it.
    var valueStart = 0
    var alienStart = 0
    var closing: StaticString = ""
    /// Whether the parser is on the opening line of a code block that follows a tag.
    var isFenceLine = false
    var isClosed = false
    var isBare = false
    /// The bytes that follow a tool call and might be the beginning of a tag.
    var tail = ByteBuffer()
    /// The reason why the last tool call is invalid; nil if the call is valid.
    var problem: String?
    var unknownKeys = 0
    /// The length of `spaces` when the last tool call was found, in bytes.
    var spacesAtCall = 0
    var isTextLast = true
    /// The number of tool calls found so far.
    package internal(set) var calls = 0
    package internal(set) var brokenCalls = 0

    package init(_ instructions: ToolProtocol, ids: RandomBytes) {
        self.init(
            ToolCallReader(instructions.tools, ids),
            maxCalls: instructions.isParallel ? .max : 1,
            requiresValidOutput: instructions.demand != .auto,
            allowsFence: true
        )
    }

    private init(_ reader: ToolCallReader, maxCalls: Int, requiresValidOutput: Bool, allowsFence: Bool) {
        self.reader = reader
        self.maxCalls = maxCalls
        self.requiresValidOutput = requiresValidOutput
        self.allowsFence = allowsFence
    }

    /// Whether a code block at the beginning of the text can contain tool calls.
    private let allowsFence: Bool

    var heldBytes: Int { held.count + spaces.count }

    /// Whether the rest of the model's output is still needed. If not, the upstream call can be stopped.
    package var wantsMore: Bool {
        if case .over = phase { false } else { true }
    }

    package typealias Pass = (ToolEvent) -> Void

    package mutating func consume(_ piece: UnsafeRawBufferPointer, _ pass: Pass) {
        if let text = plain(piece) { pass(.text(text)) } else { read(piece, pass) }
    }

    private mutating func read(_ piece: UnsafeRawBufferPointer, _ pass: Pass) {
        settle()
        var index = 0
        StepCount.add(piece.count)
        while index < piece.count {
            switch phase {
            case .text: index = text(piece, index, pass)
            case .value: index = value(piece, index, pass)
            case .over: return
            case .fenced:
                held.append(piece[part: index..<piece.count])
                index = piece.count
                if held.count > Self.limitBytes { passHeldAgain(pass) }
            case .opening: index += opening(piece[index], pass) ? 1 : 0
            case .tag: index += tag(piece[index], pass) ? 1 : 0
            case .seeking: index += seeking(piece[index], pass) ? 1 : 0
            case .recovery: index += recovery(piece[index], pass) ? 1 : 0
            case .named: index += named(piece[index], pass) ? 1 : 0
            case .after: index += after(piece[index], pass) ? 1 : 0
            }
        }
    }

    /// Ends the response and emits the held text and tool calls.
    /// - Parameter isCut: whether the output was cut off, so that a begun tool call is not emitted as text.
    package mutating func finish(isCut: Bool = false, _ pass: Pass) {
        settle()
        if isCut, phase != .text { spaces.removeAll() }
        switch phase {
        case .text, .over: break
        case .opening, .tag, .seeking: if !isCut || !mayBecomeCall { passHeld(pass) }
        case .value, .recovery, .named: breakOff("it breaks off before its end", pass)
        case .after:
            if isCut { tail.removeAll() }
            finishAfter(pass)
        case .fenced: finishFenced(isCut: isCut, pass)
        }
        if wantsMore, isTextLast || calls == 0 { passSpaces(pass) }
        phase = .over
    }

    /// Whether the held bytes probably begin a tool call: more than one of them is not white space.
    private var mayBecomeCall: Bool { held.bytes.count { !Self.isSpace($0) } > 1 }

    // MARK: Text

    /// Consumes a chunk that cannot begin a tool call, and returns the text to emit. The text is valid until the next
    /// chunk. Returns nil, and consumes nothing, if the chunk must be read byte by byte.
    mutating func plain(_ piece: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard case .text = phase, let start = piece.baseAddress else { return nil }
        var hasLineEnd = false
        if Self.mayHaveSigns(start, piece.count) {
            for byte in piece {
                if ToolCallTag.isFirst(byte) || MarkdownCodeTracker.isMark(byte) { return nil }
                if byte == 10 { hasLineEnd = true }
            }
        }
        var end = piece.count
        while end > 0, Self.isSpace(start.load(fromByteOffset: end &- 1, as: UInt8.self)) { end &-= 1 }
        guard end > 0 else { return nil }
        StepCount.add(piece.count)
        if hasLineEnd || !marks.isAmidLine { for byte in piece { marks.consume(byte) } }
        isTextLast = true
        settle()
        let waiting = spaces.count
        if waiting == 0 {
            if end < piece.count { spaces.append(piece[part: end..<piece.count]) }
            return piece[part: 0..<end]
        }
        spaces.append(piece)
        passedBytes = waiting + end
        return spaces.bytes[part: 0..<passedBytes]
    }

    /// Returns whether the bytes may contain a line end, or the first byte of a tag or of Markdown code.
    /// Can be true for bytes without any of them.
    private static func mayHaveSigns(_ start: UnsafeRawPointer, _ count: Int) -> Bool {
        let low: UInt64 = 1 << 10 | 1 << 60
        let high: UInt64 = 1 << (91 - 64) | 1 << (96 - 64) | 1 << (126 - 64)
        var found: UInt64 = 0
        for index in 0..<count {
            let byte = UInt64(start.load(fromByteOffset: index, as: UInt8.self))
            found |= (byte & 64 == 0 ? low : high) &>> byte
        }
        return found & 1 != 0
    }

    /// Removes the bytes that `plain(_:)` has returned from the start of `spaces`.
    private mutating func settle() {
        guard passedBytes > 0 else { return }
        spaces.removeFirst(passedBytes)
        passedBytes = 0
    }

    private mutating func text(_ piece: UnsafeRawBufferPointer, _ from: Int, _ pass: Pass) -> Int {
        for index in from..<piece.count {
            let byte = piece[index]
            marks.consume(byte)
            guard ToolCallTag.isFirst(byte), requiresValidOutput || !marks.isCode else { continue }
            passText(piece[part: from..<index], pass)
            held.append(byte)
            phase = .tag
            return index + 1
        }
        passText(piece[part: from..<piece.count], pass)
        return piece.count
    }

    /// Emits text, but holds back white space at the end.
    mutating func passText(_ text: UnsafeRawBufferPointer, _ pass: Pass) {
        var end = text.count
        while end > 0, Self.isSpace(text[end - 1]) { end -= 1 }
        if end > 0 {
            isTextLast = true
            if spaces.isEmpty {
                pass(.text(text[part: 0..<end]))
            } else {
                spaces.append(text[part: 0..<end])
                passSpaces(pass)
            }
        }
        spaces.append(text[part: end..<text.count])
        if spaces.count > Self.spaceLimitBytes { passSpaces(pass) }
    }

    mutating func passSpaces(_ pass: Pass) {
        if spaces.isEmpty { return }
        pass(.text(spaces.bytes))
        spaces.removeAll()
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 10 || byte == 9 || byte == 13 }

    /// Emits the held bytes as text, because they are not a tool call.
    mutating func passHeld(_ pass: Pass) {
        for byte in held.bytes { marks.consume(byte) }
        let text = Self.consumeAll(of: &held)
        passText(text.bytes, pass)
        phase = .text
    }

    /// Parses the held bytes a second time, now as text that might contain tool calls.
    private mutating func passHeldAgain(_ pass: Pass) {
        let text = Self.consumeAll(of: &held)
        phase = .text
        read(text.bytes, pass)
    }

    static func consumeAll(of buffer: inout ByteBuffer) -> ByteBuffer {
        var empty = ByteBuffer()
        swap(&empty, &buffer)
        return empty
    }

    // MARK: The beginning of a response

    /// Consumes a byte at the beginning of the response. Returns false, without consuming the byte, if the response
    /// begins with text or a tag.
    private mutating func opening(_ byte: UInt8, _ pass: Pass) -> Bool {
        held.append(byte)
        switch ResponseOpening(held.bytes, allowsFence: allowsFence, { reader.isTool($0) }) {
        case .unknown where !isOver(Self.spaceLimitBytes, byte): break
        case .text, .unknown:
            // The last byte may begin a character.
            held.removeLast(1)
            passHeldAgain(pass)
            return false
        case .fenced: phase = .fenced
        case .call(let start):
            isBare = true
            (scan, valueStart) = (ValueScan(), start)
            for byte in held.bytes.dropFirst(start) { _ = scan.consume(byte) }
            phase = .value
        }
        return true
    }

    private mutating func finishFenced(isCut: Bool, _ pass: Pass) {
        let bytes = held.bytes
        var end = bytes.count
        while end > 0, Self.isSpace(bytes[end - 1]) { end -= 1 }
        if end >= 3, bytes[part: (end - 3)..<end].equals("```") { end -= 3 }
        let start = bytes.firstNewline().map { $0 + 1 } ?? end
        // A blank line may precede the fence.
        let fence = bytes.first(96) ?? 0
        let from = start > fence ? start : bytes[part: fence..<bytes.count].firstNewline().map { fence + $0 + 1 } ?? end
        var inner = ToolCallParser(reader, maxCalls: maxCalls, requiresValidOutput: true, allowsFence: false)
        var found: [ParsedToolCall] = []
        var isAll = true
        func collect(_ event: ToolEvent) {
            if case .call(let call) = event { found.append(call) } else { isAll = false }
        }
        inner.consume(bytes[part: min(from, end)..<end], collect)
        inner.finish(isCut: isCut, collect)
        guard isCut || isAll && !found.isEmpty else {
            passHeldAgain(pass)
            return finish(pass)
        }
        calls += found.count
        isTextLast = false
        for call in found { pass(.call(call)) }
    }
}

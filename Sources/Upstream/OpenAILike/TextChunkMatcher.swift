import Engine

/// A matcher that finds the text of a vendor's chunk without parsing JSON. It knows the bytes around the text from an
/// earlier chunk.
struct TextChunkMatcher: ~Copyable {
    /// The bytes of an event before its text, learned from an earlier chunk.
    private var before = ByteBuffer()
    private var after = ByteBuffer()
    /// The chunk that was forwarded to the client last. Its text begins at `passedStart`.
    private var passedChunk = ByteBuffer()
    private var passedStart = 0
    private var passedAfter = ByteBuffer()
    private(set) var choice = 0
    private var isKnown = false
    /// The number of chunks that the matcher has learned from since a chunk last matched.
    private var misses = 0
    private var texts = JSONStringDecoder()

    private static let maxMisses = 8
    /// The bytes before the data of an event. `blank` contains the bytes after the data.
    private static let field: StaticString = "data: "
    private static let blank: StaticString = "\n\n"

    /// Returns the text of the next event if the learned bytes surround the text; otherwise nil.
    @inline(__always)
    mutating func text(from events: inout EventStreamParser) -> UnsafeRawBufferPointer? {
        guard isKnown, let text = events.text(between: before.bytes, after.bytes) else { return nil }
        misses = 0
        return text
    }

    /// Returns the text of a vendor's chunk, still with JSON escapes; nil if the learned bytes do not surround the
    /// text.
    mutating func written(in data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard isKnown else { return nil }
        let (start, end) = (before.count - Self.field.utf8CodeUnitCount, after.count - Self.blank.utf8CodeUnitCount)
        guard data.count > start + end, data.hasPrefix(before.bytes[part: Self.field.utf8CodeUnitCount..<before.count]),
            data[part: data.count - end..<data.count].hasPrefix(after.bytes[part: 0..<end])
        else { return nil }
        misses = 0
        return data[part: start..<data.count - end]
    }

    /// Decodes the JSON escapes of a chunk's text. The result is valid until the next call; nil if the text is invalid
    /// or has a `\u` escape.
    /// - Parameter written: the text with its JSON escapes.
    mutating func text(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? { texts.text(written) }

    /// Returns the chunk that the client gets for a text: the last forwarded chunk with this text. It is valid until
    /// the next call of this function.
    /// - Parameter written: the text with its JSON escapes.
    @inline(__always)
    mutating func passed(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        passedChunk.removeLast(passedChunk.count - passedStart)
        passedChunk.append(written, passedAfter.bytes)
        return passedChunk.bytes
    }

    /// Learns from a parsed chunk which bytes surround the text in the next chunks.
    /// - Parameter passed: the chunk that the relay forwarded in place of `data`; empty if none was.
    mutating func learn(_ data: UnsafeRawBufferPointer, _ piece: ChoiceChunk, passed: UnsafeRawBufferPointer) {
        guard misses < Self.maxMisses, piece.isTextAlone, let text = piece.text, !text.isEmpty,
            let offset = Self.offset(of: text, in: data)
        else { return }
        misses += 1
        var passedOffset = 0
        if !passed.isEmpty {
            guard let offset = Self.offset(of: text, in: passed) else { return }
            passedOffset = offset
        }
        before.removeAll()
        before.append(Self.field)
        Self.cut(data, at: offset, text.count, &before, &after)
        after.append(Self.blank)
        passedChunk.removeAll()
        if !passed.isEmpty { Self.cut(passed, at: passedOffset, text.count, &passedChunk, &passedAfter) }
        passedStart = passedChunk.count
        choice = piece.index
        isKnown = true
    }

    /// Forgets the bytes that surround the text in chunks. Chunks are then parsed until these bytes are learned again.
    mutating func forget() { isKnown = false }

    private static func cut(
        _ data: UnsafeRawBufferPointer,
        at offset: Int,
        _ count: Int,
        _ before: inout ByteBuffer,
        _ after: inout ByteBuffer
    ) {
        before.append(data[part: 0..<offset])
        after.removeAll()
        after.append(data[part: offset + count..<data.count])
    }

    /// Returns the offset of the text in a chunk's member `content`. Returns nil unless the chunk has exactly one
    /// such member, whose value is the text without escapes.
    private static func offset(of text: UnsafeRawBufferPointer, in data: UnsafeRawBufferPointer) -> Int? {
        var scan = ByteScan(data)
        guard scan.find("\"content\":\"") else { return nil }
        let offset = scan.offset
        guard offset + text.count < data.count, data[offset + text.count] == UInt8(ascii: "\""),
            data[part: offset..<offset + text.count].elementsEqual(text), !scan.find("\"content\":\"")
        else { return nil }
        return offset
    }
}

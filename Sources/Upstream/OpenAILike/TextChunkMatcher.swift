import Calls
import Engine

/// Recognises chunks that contain some text and nothing else. They differ in this text only, so most of them can be
/// read by the bytes around it, without parsing JSON.
struct TextChunkMatcher: ~Copyable {
    /// The bytes before the text in an event of the vendor's. `after` has the bytes after the text.
    private var before = ByteBuffer()
    private var after = ByteBuffer()
    /// The chunk that was forwarded last. Its text stands between `passedStart` and the bytes of `passedAfter`.
    private var passedChunk = ByteBuffer()
    private var passedStart = 0
    private var passedAfter = ByteBuffer()
    private(set) var choice = 0
    private var isKnown = false
    /// The number of chunks in a row that were learned without a later match.
    private var misses = 0
    private var texts = JSONStringDecoder()

    private static let maxMisses = 8
    /// The bytes before the data of an event. `blank` has the bytes after the data.
    private static let field: StaticString = "data: "
    private static let blank: StaticString = "\n\n"

    /// Returns the text of the next event, which contains no escapes; nil if the event must be read in another way.
    mutating func text(from events: inout EventStreamParser) -> UnsafeRawBufferPointer? {
        guard isKnown, let text = events.text(between: before.bytes, after.bytes) else { return nil }
        misses = 0
        return text
    }

    /// Returns the text in the chunk as it is written, with escapes; nil if the chunk must be parsed.
    mutating func written(in data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard isKnown else { return nil }
        let (start, end) = (before.count - Self.field.utf8CodeUnitCount, after.count - Self.blank.utf8CodeUnitCount)
        guard data.count > start + end, data.hasPrefix(before.bytes[part: Self.field.utf8CodeUnitCount..<before.count]),
            data[part: data.count - end..<data.count].hasPrefix(after.bytes[part: 0..<end])
        else { return nil }
        misses = 0
        return data[part: start..<data.count - end]
    }

    /// Returns the text without escapes, valid until the next call; nil if the chunk must be parsed.
    mutating func text(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? { texts.text(written) }

    /// Returns the chunk to forward, with the given text as it is written in JSON. Valid until the next call.
    mutating func passed(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        passedChunk.removeLast(passedChunk.count - passedStart)
        passedChunk.append(written)
        passedChunk.append(passedAfter.bytes)
        return passedChunk.bytes
    }

    /// Learns from a parsed chunk what the next ones look like.
    ///
    /// - Parameter passed: the chunk that was forwarded for it; empty if none was.
    mutating func learn(_ data: UnsafeRawBufferPointer, _ piece: ChoiceChunk, passed: UnsafeRawBufferPointer) {
        guard misses < Self.maxMisses, piece.isTextAlone, let text = piece.text, !text.isEmpty,
            let position = Self.position(of: text, in: data)
        else { return }
        misses += 1
        var passedPlace = 0
        if !passed.isEmpty {
            guard let position = Self.position(of: text, in: passed) else { return }
            passedPlace = position
        }
        before.removeAll()
        before.append(Self.field)
        Self.cut(data, at: position, text.count, &before, &after)
        after.append(Self.blank)
        passedChunk.removeAll()
        if !passed.isEmpty { Self.cut(passed, at: passedPlace, text.count, &passedChunk, &passedAfter) }
        passedStart = passedChunk.count
        choice = piece.index
        isKnown = true
    }

    /// Forgets the learned chunk, so that the next ones are parsed until one is learned again.
    mutating func forget() { isKnown = false }

    private static func cut(
        _ data: UnsafeRawBufferPointer,
        at position: Int,
        _ count: Int,
        _ before: inout ByteBuffer,
        _ after: inout ByteBuffer
    ) {
        before.append(data[part: 0..<position])
        after.removeAll()
        after.append(data[part: position + count..<data.count])
    }

    /// Returns the position of the text in a chunk; nil unless it is the only content and is written without escapes.
    private static func position(of text: UnsafeRawBufferPointer, in data: UnsafeRawBufferPointer) -> Int? {
        var scan = ByteScan(data)
        guard scan.find("\"content\":\"") else { return nil }
        let position = scan.position
        guard position + text.count < data.count, data[position + text.count] == UInt8(ascii: "\""),
            data[part: position..<position + text.count].elementsEqual(text), !scan.find("\"content\":\"")
        else { return nil }
        return position
    }
}

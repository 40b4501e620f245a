import Calls
import Engine

/// Chunks that bring some text and nothing else. They differ in that text alone, so most of them can be told by the bytes
/// around it, without reading them as JSON.
struct PlainChunks: ~Copyable {
    /// Of the event that brings the vendor's chunk.
    private var before = ByteBuffer()
    private var after = ByteBuffer()
    /// The one that was last passed on. Its text stands between `passedStart` and `passedAfter`.
    private var passedChunk = ByteBuffer()
    private var passedStart = 0
    private var passedAfter = ByteBuffer()
    private(set) var choice = 0
    private var isKnown = false
    /// Chunks in a row that were learned from in vain: something else differs.
    private var misses = 0
    private var texts = WrittenText()

    private static let mostMisses = 8
    /// Around the data in an event.
    private static let field: StaticString = "data: "
    private static let blank: StaticString = "\n\n"

    /// The text of the next event, which needs no escapes; nil: it has to be read in another way.
    mutating func text(from events: inout EventStreamParser) -> UnsafeRawBufferPointer? {
        guard isKnown, let text = events.text(between: before.bytes, after.bytes) else { return nil }
        misses = 0
        return text
    }

    /// The bytes in the place of the text, as they were written; nil: the chunk has to be read.
    mutating func written(in data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard isKnown else { return nil }
        let (start, end) = (before.count - Self.field.utf8CodeUnitCount, after.count - Self.blank.utf8CodeUnitCount)
        guard data.count > start + end, data.hasPrefix(before.bytes[part: Self.field.utf8CodeUnitCount..<before.count]),
            data[part: data.count - end..<data.count].hasPrefix(after.bytes[part: 0..<end])
        else { return nil }
        misses = 0
        return data[part: start..<data.count - end]
    }

    /// The text that is written so, valid until the next call; nil: the chunk has to be read.
    mutating func text(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? { texts.text(written) }

    /// The chunk that is passed on with what is written in the place of its text, valid until the next call.
    mutating func passed(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        passedChunk.removeLast(passedChunk.count - passedStart)
        passedChunk.append(written)
        passedChunk.append(passedAfter.bytes)
        return passedChunk.bytes
    }

    /// Takes a chunk that was read as the example of others.
    ///
    /// - Parameter passed: what was passed on for it; empty: nothing is.
    mutating func learn(_ data: UnsafeRawBufferPointer, _ piece: ChoicePiece, passed: UnsafeRawBufferPointer) {
        guard misses < Self.mostMisses, piece.isTextAlone, let text = piece.text, !text.isEmpty,
            let place = Self.place(of: text, in: data)
        else { return }
        misses += 1
        var passedPlace = 0
        if !passed.isEmpty {
            guard let place = Self.place(of: text, in: passed) else { return }
            passedPlace = place
        }
        before.removeAll()
        before.append(Self.field)
        Self.cut(data, at: place, text.count, &before, &after)
        after.append(Self.blank)
        passedChunk.removeAll()
        if !passed.isEmpty { Self.cut(passed, at: passedPlace, text.count, &passedChunk, &passedAfter) }
        passedStart = passedChunk.count
        choice = piece.index
        isKnown = true
    }

    /// The next chunks are read, until one is learned from again.
    mutating func forget() { isKnown = false }

    private static func cut(
        _ data: UnsafeRawBufferPointer,
        at place: Int,
        _ count: Int,
        _ before: inout ByteBuffer,
        _ after: inout ByteBuffer
    ) {
        before.append(data[part: 0..<place])
        after.removeAll()
        after.append(data[part: place + count..<data.count])
    }

    /// Nil: it does not stand there once, as the only content, and as it is.
    private static func place(of text: UnsafeRawBufferPointer, in data: UnsafeRawBufferPointer) -> Int? {
        var scan = ByteScan(data)
        guard scan.find("\"content\":\"") else { return nil }
        let place = scan.place
        guard place + text.count < data.count, data[place + text.count] == UInt8(ascii: "\""),
            data[part: place..<place + text.count].elementsEqual(text), !scan.find("\"content\":\"")
        else { return nil }
        return place
    }
}

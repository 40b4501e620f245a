import Calls
import Engine
import Glibc

/// Chunks that bring some text and nothing else. They differ in that text alone, so most of them can be told by the bytes
/// around it, without reading them as JSON.
struct PlainChunks: ~Copyable {
    /// Of the vendor's chunk, and of what is passed on for it.
    private var before = ByteBuffer()
    private var after = ByteBuffer()
    private var passedBefore = ByteBuffer()
    private var passedAfter = ByteBuffer()
    private(set) var choice = 0
    private var isKnown = false
    /// Chunks in a row that were learned from in vain: something else differs.
    private var misses = 0
    private var texts = WrittenText()

    private static let mostMisses = 8

    /// The bytes in the place of the text, as they were written; nil: the chunk has to be read.
    mutating func written(in data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard isKnown, data.count > before.count + after.count, data.begins(with: before),
            data[part: data.count - after.count..<data.count].begins(with: after)
        else { return nil }
        misses = 0
        return data[part: before.count..<data.count - after.count]
    }

    /// The text that is written so, valid until the next call; nil: the chunk has to be read.
    mutating func text(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? { texts.text(written) }

    /// The chunk that is passed on with what is written in the place of its text.
    func append(_ written: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        out.append(passedBefore.bytes, written, passedAfter.bytes)
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
        Self.cut(data, at: place, text.count, &before, &after)
        if !passed.isEmpty { Self.cut(passed, at: passedPlace, text.count, &passedBefore, &passedAfter) }
        choice = piece.index
        isKnown = true
    }

    private static func cut(
        _ data: UnsafeRawBufferPointer,
        at place: Int,
        _ count: Int,
        _ before: inout ByteBuffer,
        _ after: inout ByteBuffer
    ) {
        before.removeAll()
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

extension UnsafeRawBufferPointer {
    fileprivate func begins(with bytes: borrowing ByteBuffer) -> Bool {
        guard let start = baseAddress, let other = bytes.bytes.baseAddress, count >= bytes.count else { return false }
        return memcmp(start, other, bytes.count) == 0
    }
}

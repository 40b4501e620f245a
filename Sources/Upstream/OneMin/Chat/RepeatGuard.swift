import Engine

/// With some models the last `content` repeats the whole text so far. What equals it is held back: it was genuine if
/// more follows, or if the record proves it. The text is known by its length and a hash, so a long answer costs no
/// memory.
struct RepeatGuard: ~Copyable {
    private var text = TextHash()
    private var pieces = 0
    private var held = ByteBuffer()

    /// Nothing has come.
    var isEmpty: Bool { pieces == 0 }

    var isHolding: Bool { !held.isEmpty }

    /// True if `piece` is held back; else it belongs to the text.
    mutating func holds(_ piece: UnsafeRawBufferPointer) -> Bool {
        pieces += 1
        if pieces > 1, piece.count == text.count, TextHash(piece) == text {
            held.append(piece)
            return true
        }
        text.add(piece)
        return false
    }

    /// More came after it, so what was held is part of the text.
    mutating func releaseHeld() -> ByteBuffer? {
        guard !held.isEmpty else { return nil }
        text.add(held.bytes)
        var released = ByteBuffer()
        swap(&released, &held)
        return released
    }

    /// The record has the whole text: with what was held, or without.
    mutating func releaseHeld(provenBy record: UnsafeRawBufferPointer) -> ByteBuffer? {
        guard !held.isEmpty else { return nil }
        var whole = text
        whole.add(held.bytes)
        if TextHash(record) == whole { return releaseHeld() }
        held.release()
        return nil
    }
}

/// Length and FNV-1a hash of a text that comes in pieces.
private struct TextHash: Equatable {
    private(set) var count = 0
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325

    init() {}

    init(_ text: UnsafeRawBufferPointer) { add(text) }

    mutating func add(_ text: UnsafeRawBufferPointer) {
        count += text.count
        for byte in text { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }
}

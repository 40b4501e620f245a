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

/// Length and hash of a text that comes in pieces, whatever these are: eight bytes of the text are mixed at a time.
private struct TextHash: Equatable {
    private(set) var count = 0
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325
    /// The bytes behind the last eight, the first one lowest.
    private var rest: UInt64 = 0

    init() {}

    init(_ text: UnsafeRawBufferPointer) { add(text) }

    mutating func add(_ text: UnsafeRawBufferPointer) {
        guard let base = text.baseAddress else { return }
        var place = 0
        while place + 8 <= text.count {
            add(UInt64(littleEndian: base.loadUnaligned(fromByteOffset: place, as: UInt64.self)), 8)
            place += 8
        }
        let left = text.count - place
        guard left > 0 else { return }
        var word: UInt64 = 0
        if text.count >= 8 {
            // The last eight, without those that were taken.
            let last = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: text.count - 8, as: UInt64.self))
            word = last >> UInt64(8 * (8 - left))
        } else {
            for index in 0..<left { word |= UInt64(text[index]) << UInt64(8 * index) }
        }
        add(word, left)
    }

    /// - Parameters:
    ///   - word: the first byte lowest, and 0 behind the last.
    ///   - bytes: 1 to 8.
    @inline(__always)
    private mutating func add(_ word: UInt64, _ bytes: Int) {
        let held = count & 7
        count += bytes
        rest |= word << UInt64(8 * held)
        guard held + bytes >= 8 else { return }
        value = (value ^ rest) &* 0x9e37_79b9_7f4a_7c15
        value ^= value >> 32
        // A shift by 64 is 0.
        rest = word >> UInt64(64 - 8 * held)
    }
}

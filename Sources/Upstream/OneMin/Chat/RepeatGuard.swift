import Engine

/// Removes a repetition: with some models the last `content` event repeats the whole text so far. A chunk that equals
/// the text is held back. It is genuine if more text follows, or if the record proves it. Only a length and a hash of
/// the text are kept, so a long response needs no memory.
struct RepeatGuard: ~Copyable {
    private var text = TextHash()
    private var pieces = 0
    private var held = ByteBuffer()

    /// Whether no chunk has arrived.
    var isEmpty: Bool { pieces == 0 }

    var isHolding: Bool { !held.isEmpty }

    /// Consumes a chunk. Returns true if it is held back, and false if it belongs to the text.
    mutating func holds(_ piece: UnsafeRawBufferPointer) -> Bool {
        pieces += 1
        if pieces > 1, piece.count == text.count, TextHash(piece) == text {
            held.append(piece)
            return true
        }
        text.add(piece)
        return false
    }

    /// Returns the held chunk, which belongs to the text because more text follows; nil if none is held.
    mutating func releaseHeld() -> ByteBuffer? {
        guard !held.isEmpty else { return nil }
        text.add(held.bytes)
        var released = ByteBuffer()
        swap(&released, &held)
        return released
    }

    /// Returns the held chunk if the record's text contains it; nil if none is held, or if it is a repetition.
    mutating func releaseHeld(provenBy record: UnsafeRawBufferPointer) -> ByteBuffer? {
        guard !held.isEmpty else { return nil }
        var whole = text
        whole.add(held.bytes)
        if TextHash(record) == whole { return releaseHeld() }
        held.release()
        return nil
    }
}

/// The length and the hash of a text, which do not depend on how the text is split. Eight bytes of the text are mixed
/// at a time.
private struct TextHash: Equatable {
    private(set) var count = 0
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325
    /// The bytes after the last complete group of eight. The first byte is in the lowest bits.
    private var rest: UInt64 = 0

    init() {}

    init(_ text: UnsafeRawBufferPointer) { add(text) }

    mutating func add(_ text: UnsafeRawBufferPointer) {
        guard let base = text.baseAddress else { return }
        var position = 0
        while position + 8 <= text.count {
            add(UInt64(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt64.self)), 8)
            position += 8
        }
        if position < text.count { add(Self.word(base + position, text.count - position), text.count - position) }
    }

    /// Returns up to seven bytes as a number, with the first byte in the lowest bits.
    @inline(__always)
    private static func word(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var word: UInt64 = 0
        var position = 0
        if count & 4 != 0 {
            word = UInt64(UInt32(littleEndian: base.loadUnaligned(as: UInt32.self)))
            position = 4
        }
        if count & 2 != 0 {
            let two = UInt16(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt16.self))
            word |= UInt64(two) &<< UInt64(8 &* position)
            position &+= 2
        }
        if count & 1 != 0 {
            word |= UInt64(base.load(fromByteOffset: position, as: UInt8.self)) &<< UInt64(8 &* position)
        }
        return word
    }

    /// - Parameters:
    ///   - word: the bytes as a number, the first byte lowest, and 0 after the last.
    ///   - bytes: the number of bytes, from 1 to 8.
    @inline(__always)
    private mutating func add(_ word: UInt64, _ bytes: Int) {
        let held = count & 7
        count += bytes
        rest |= word &<< UInt64(8 &* held)
        guard held + bytes >= 8 else { return }
        value = (value ^ rest) &* 0x9e37_79b9_7f4a_7c15
        value ^= value >> 32
        rest = held == 0 ? 0 : word &>> UInt64(64 &- 8 &* held)
    }
}

import Engine

/// Removes a repetition from a stream: with some models, the last `content` event repeats the whole text.
struct RepeatGuard: ~Copyable {
    private var text = TextHash()
    private var pieces = 0
    private var held = ByteBuffer()

    /// Whether no chunk of text has arrived yet.
    var isEmpty: Bool { pieces == 0 }

    var isHolding: Bool { !held.isEmpty }

    /// Consumes a chunk of text. Returns true if the chunk is held back as a repetition.
    mutating func holds(_ piece: UnsafeRawBufferPointer) -> Bool {
        pieces += 1
        if pieces > 1, piece.count == text.count, TextHash(piece) == text {
            held.append(piece)
            return true
        }
        text.add(piece)
        return false
    }

    /// Returns the chunk that is held back, and counts it as genuine text; nil if no chunk is held back.
    mutating func releaseHeld() -> ByteBuffer? {
        guard !held.isEmpty else { return nil }
        text.add(held.bytes)
        var released = ByteBuffer()
        swap(&released, &held)
        return released
    }

    /// Returns the held chunk if the vendor's final record proves that the chunk is no repetition. Otherwise drops the
    /// chunk and returns nil. Also returns nil if no chunk is held back.
    /// - Parameter record: the whole text, from the vendor's final record.
    mutating func releaseHeld(provenBy record: UnsafeRawBufferPointer) -> ByteBuffer? {
        guard !held.isEmpty else { return nil }
        var whole = text
        whole.add(held.bytes)
        if TextHash(record) == whole { return releaseHeld() }
        held.release()
        return nil
    }
}

/// The length and a hash of a text. Equal texts have equal values, however they are divided into chunks.
private struct TextHash: Equatable {
    private(set) var count = 0
    private var value: UInt64 = 0xcbf2_9ce4_8422_2325
    /// The bytes that are not in the hash yet, at most seven, as a little-endian number.
    private var rest: UInt64 = 0

    init() {}

    init(_ text: UnsafeRawBufferPointer) { add(text) }

    mutating func add(_ text: UnsafeRawBufferPointer) {
        guard let base = text.baseAddress else { return }
        var offset = 0
        while offset + 8 <= text.count {
            add(UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)), 8)
            offset += 8
        }
        if offset < text.count { add(Self.word(base + offset, text.count - offset), text.count - offset) }
    }

    /// Returns up to seven bytes as a little-endian number.
    @inline(__always)
    private static func word(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var word: UInt64 = 0
        var offset = 0
        if count & 4 != 0 {
            word = UInt64(UInt32(littleEndian: base.loadUnaligned(as: UInt32.self)))
            offset = 4
        }
        if count & 2 != 0 {
            let two = UInt16(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            word |= UInt64(two) &<< UInt64(8 &* offset)
            offset &+= 2
        }
        if count & 1 != 0 {
            word |= UInt64(base.load(fromByteOffset: offset, as: UInt8.self)) &<< UInt64(8 &* offset)
        }
        return word
    }

    /// Adds up to eight bytes to the hash.
    /// - Parameter word: the bytes as a little-endian number; the unused high bytes are 0.
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

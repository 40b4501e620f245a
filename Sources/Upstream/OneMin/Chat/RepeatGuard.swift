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
        if place < text.count { add(Self.word(base + place, text.count - place), text.count - place) }
    }

    /// Up to seven bytes, the first one lowest.
    @inline(__always)
    private static func word(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var word: UInt64 = 0
        var place = 0
        if count & 4 != 0 {
            word = UInt64(UInt32(littleEndian: base.loadUnaligned(as: UInt32.self)))
            place = 4
        }
        if count & 2 != 0 {
            let two = UInt16(littleEndian: base.loadUnaligned(fromByteOffset: place, as: UInt16.self))
            word |= UInt64(two) &<< UInt64(8 &* place)
            place &+= 2
        }
        if count & 1 != 0 {
            word |= UInt64(base.load(fromByteOffset: place, as: UInt8.self)) &<< UInt64(8 &* place)
        }
        return word
    }

    /// - Parameters:
    ///   - word: the first byte lowest, and 0 behind the last.
    ///   - bytes: 1 to 8.
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

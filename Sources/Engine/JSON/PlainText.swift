import CSimdjson

// Functions that check texts eight or sixteen bytes at a time: text that needs no escape in JSON, ASCII, UTF-8.

/// Returns a word whose lowest set bit is the highest bit of the first byte that needs an escape in a JSON string; 0 if
/// no byte of `word` needs one.
@inline(__always)
func escapes(in word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = word ^ (ones &* 34)
    let slash = word ^ (ones &* 92)
    let low = (word &- ones &* 32) & ~word
    return (low | (quote &- ones) & ~quote | (slash &- ones) & ~slash) & (ones &* 0x80)
}

/// Returns 0 if all eight bytes of `word` are ASCII and need no JSON escape.
@inline(__always)
func odd(in word: UInt64) -> UInt64 { escapes(in: word) | word & 0x8080_8080_8080_8080 }

extension UnsafeRawPointer {
    /// Returns how many of the first `count` bytes come before a byte that is not ASCII or needs a JSON escape. Fifteen
    /// bytes after `count` must be readable.
    @inline(__always)
    func endOfPlain(_ count: Int) -> Int {
        var offset = 0
        while offset < count {
            let plain = Int(relay_json_plain(self + offset))
            offset += plain
            if plain < 16 { break }
        }
        return min(count, offset)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all bytes are ASCII and need no escape in a JSON string.
    package var isPlain: Bool {
        guard let base = baseAddress, count > 0 else { return true }
        if count < 8 { return odd(in: shortWord(base, count)) == 0 }
        var rest = count
        var next = base
        while rest > 8 {
            if odd(in: next.loadUnaligned(as: UInt64.self)) != 0 { return false }
            next += 8
            rest -= 8
        }
        // The last eight bytes, which overlap those before.
        return odd(in: (next + rest - 8).loadUnaligned(as: UInt64.self)) == 0
    }

    /// Whether the bytes are valid UTF-8 (RFC 3629).
    package var isUTF8: Bool { firstInvalidUTF8 == nil }

    /// The offset at which the first invalid UTF-8 sequence begins; nil if all bytes are valid UTF-8.
    package var firstInvalidUTF8: Int? {
        var offset = 0
        while offset < count {
            let byte = self[offset]
            let (length, lowest, highest): (Int, UInt8, UInt8) =
                switch byte {
                case 0..<0x80: (1, 0, 0)
                case 0xc2...0xdf: (2, 0x80, 0xbf)
                case 0xe0: (3, 0xa0, 0xbf)
                case 0xed: (3, 0x80, 0x9f)
                case 0xe1...0xef: (3, 0x80, 0xbf)
                case 0xf0: (4, 0x90, 0xbf)
                case 0xf1...0xf3: (4, 0x80, 0xbf)
                case 0xf4: (4, 0x80, 0x8f)
                default: (0, 0, 0)
                }
            guard length > 0, count - offset >= length else { return offset }
            if length > 1, self[offset + 1] < lowest || self[offset + 1] > highest { return offset }
            if length > 2, self[offset + 2] & 0xc0 != 0x80 { return offset }
            if length > 3, self[offset + 3] & 0xc0 != 0x80 { return offset }
            offset += length
        }
        return nil
    }

    package var isASCII: Bool {
        var offset = 0
        while offset + 8 <= count {
            if loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return false }
            offset += 8
        }
        while offset < count {
            if self[offset] >= 0x80 { return false }
            offset += 1
        }
        return true
    }
}

import Engine

/// An estimate of the tokens in a text, from the scripts of its characters (docs/tokens.md). It does not depend on how
/// the text is divided into chunks.
package struct TokenEstimate: Sendable {
    private var parts = 0

    package init() {}

    /// The estimated number of tokens, rounded up.
    package var tokens: Int { (parts + 15) / 16 }

    package mutating func add(_ text: UnsafeRawBufferPointer) {
        guard let start = text.baseAddress else { return }
        // Most pieces are one short word.
        if text.count < 8, text.count >= 4 {
            let first = start.loadUnaligned(as: UInt32.self)
            let last = start.loadUnaligned(fromByteOffset: text.count &- 4, as: UInt32.self)
            if (first | last) & 0x8080_8080 == 0 {
                parts &+= 4 &* text.count
                return
            }
        }
        var offset = 0
        while offset < text.count {
            let isPlain =
                offset &+ 8 <= text.count
                && start.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            if isPlain {
                parts &+= 32
                offset &+= 8
            } else {
                let byte = start.load(fromByteOffset: offset, as: UInt8.self)
                parts &+= byte < 0x80 ? 4 : Self.parts(byte)
                offset &+= 1
            }
        }
    }

    package mutating func add(_ text: String) { text.withBytes { add($0) } }

    /// Adds the beginning of `text` that fits into `limit` tokens in total. Returns the number of bytes added.
    package mutating func add(_ text: UnsafeRawBufferPointer, upTo limit: Int) -> Int {
        let most = 16 * min(limit, .max / 32)
        if parts + 32 * text.count <= most {
            add(text)
            return text.count
        }
        for offset in 0..<text.count {
            let more = Self.parts(text[offset])
            if more > 0, parts + more > most { return offset }
            parts += more
        }
        return text.count
    }

    /// Returns the estimate for a character, in sixteenths of a token, from its first UTF-8 byte. Returns 0 for the
    /// character's later bytes.
    private static func parts(_ byte: UInt8) -> Int {
        switch byte {
        case 0..<0x80: 4
        case 0x80..<0xc2: 0
        // Latin letters with diacritics; 0xc2 also has the symbols of Latin-1.
        case 0xc2: 8
        case 0xc3...0xcd: 11
        // Greek, Cyrillic, Hebrew (and Armenian), Arabic.
        case 0xce...0xcf: 7
        case 0xd0...0xd4: 5
        case 0xd5...0xd7: 7
        case 0xd8...0xdb: 6
        case 0xdc...0xdf: 8
        // Indic scripts and Thai; other scripts and more Latin letters; punctuation.
        case 0xe0: 7
        case 0xe1...0xe2: 8
        // Kana, Han, Hangul, wide forms; emoji.
        case 0xe3: 11
        case 0xe4...0xe9: 13
        case 0xea...0xed: 11
        case 0xee...0xef: 12
        default: 32
        }
    }
}

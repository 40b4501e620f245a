package import Engine

/// The header of a token file, its first 128 bytes: the offsets and sizes of the tables.
///
/// The list shows the offset of each field. Numbers are little-endian and have four bytes; the file size has eight.
///
///     0  "relaytok"
///     8  version
///     12 number of vocabularies
///     16 size of the file
///     24 SHA-256 of everything after the header
///     56 offset of the table of character classes
///     60 number of blocks in this table
///     64 fields of o200k_base: offset of slots, bits of a slot number, offset of starts, number of tokens,
///        offset of the tokens' bytes, number of these bytes, offset of pairs, length of the longest token
///     96 the same fields of cl100k_base
///
/// Offsets count from the beginning of the file and are multiples of 8.
package struct TokenFileHeader: Sendable {
    package struct Vocabulary: Sendable {
        package var slots = 0
        package var slotBits = 0
        package var starts = 0
        package var tokens = 0
        package var bytes = 0
        package var byteCount = 0
        package var pairs = 0
        package var longest = 0

        package init() {}
    }

    package static let byteCount = 128
    package static let version = 1
    private static let magic: StaticString = "relaytok"

    package var fileSize = 0
    package var digest: Digest
    package var classIndex = 0
    package var classBlocks = 0
    package var vocabularies: [Vocabulary] = []

    package init(digest: Digest) { self.digest = digest }

    /// Reads a token file's header. Returns nil if the header is incomplete, invalid or does not fit the file's size.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.byteCount, bytes[part: 0..<8].equals(Self.magic) else { return nil }
        func number(_ offset: Int) -> Int {
            Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        guard number(8) == Self.version, number(12) == 2, number(16) == bytes.count, number(20) == 0 else { return nil }
        fileSize = number(16)
        digest = Digest(bytes: bytes[part: 24..<56])
        classIndex = number(56)
        classBlocks = number(60)
        for offset in [64, 96] {
            var one = Vocabulary()
            one.slots = number(offset)
            one.slotBits = number(offset + 4)
            one.starts = number(offset + 8)
            one.tokens = number(offset + 12)
            one.bytes = number(offset + 16)
            one.byteCount = number(offset + 20)
            one.pairs = number(offset + 24)
            one.longest = number(offset + 28)
            vocabularies.append(one)
        }
        guard isPlausible else { return nil }
    }

    /// Whether all tables that the header describes lie within the file.
    private var isPlausible: Bool {
        func holds(_ offset: Int, _ bytes: Int) -> Bool {
            offset >= Self.byteCount && offset % 8 == 0 && offset + bytes <= fileSize
        }
        return holds(classIndex, CharacterClasses.indexBytes + classBlocks * CharacterClasses.blockSize)
            && (1...CharacterClasses.maxBlocks).contains(classBlocks)
            && vocabularies.allSatisfy { one in
                (1...24).contains(one.slotBits) && holds(one.slots, 4 << one.slotBits)
                    && (256..<(1 << TokenTable.rankBits)).contains(one.tokens) && holds(one.starts, 4 * one.tokens + 4)
                    && holds(one.bytes, one.byteCount) && holds(one.pairs, 4 << 16) && (2...255).contains(one.longest)
            }
    }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        func add(_ number: Int) { withUnsafeBytes(of: UInt32(number).littleEndian) { bytes += $0 } }
        Self.magic.withUTF8Buffer { bytes += $0 }
        for number in [Self.version, vocabularies.count, fileSize, 0] { add(number) }
        digest.withBytes { bytes += $0 }
        for number in [classIndex, classBlocks] { add(number) }
        for one in vocabularies {
            for number in [one.slots, one.slotBits, one.starts, one.tokens] { add(number) }
            for number in [one.bytes, one.byteCount, one.pairs, one.longest] { add(number) }
        }
        return bytes
    }
}

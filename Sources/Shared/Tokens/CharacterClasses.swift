/// The character classes of the split patterns, as bits. The table has blocks of 128 code points: an index with two
/// bytes for each block, then the distinct blocks with one byte for each code point. It is part of a `TokenFile`.
///
/// `@unchecked`: it only points into read-only memory, which `TokenFile` keeps alive.
package struct CharacterClasses: @unchecked Sendable {
    /// The class `\p{L}`.
    package static let letter: UInt8 = 1
    /// The class `\p{N}`.
    package static let number: UInt8 = 2
    /// The class `\s`.
    package static let space: UInt8 = 4
    /// The class `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`.
    package static let upper: UInt8 = 8
    /// The class `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
    package static let lower: UInt8 = 16
    /// The class `[\r\n]`.
    package static let newline: UInt8 = 32

    package static let blockSize = 128
    package static let indexCount = 0x11_0000 / blockSize
    static let indexBytes = 2 * indexCount
    /// The largest number of blocks. An index has two bytes and could hold more, but no table needs more.
    static let maxBlocks = 4_096

    private let index: UnsafePointer<UInt16>
    private let blocks: UnsafePointer<UInt8>
    private let blockCount: Int
    private let keeper: TokenFile.Mapping

    init(_ header: TokenFileHeader, in mapping: TokenFile.Mapping) {
        index = (mapping.base + header.classIndex).assumingMemoryBound(to: UInt16.self)
        blocks = (mapping.base + header.classIndex + Self.indexBytes).assumingMemoryBound(to: UInt8.self)
        blockCount = header.classBlocks
        keeper = mapping
    }

    /// Returns the classes of an ASCII character. The first block begins with code point 0.
    @inline(__always)
    func ofASCII(_ byte: UInt8) -> UInt8 { blocks[Int(byte)] }

    /// Returns the classes of a code point, which must be below 0x110000.
    @inline(__always)
    func of(_ point: UInt32) -> UInt8 {
        let block = Int(index[Int(point >> 7)])
        guard block < blockCount else { return 0 }
        return blocks[block << 7 | Int(point & 127)]
    }
}

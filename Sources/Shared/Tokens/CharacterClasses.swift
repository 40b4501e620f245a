/// The classes of characters that the split patterns name, as bits, in a table of blocks of 128 code points: an index of
/// two bytes for each block, then the blocks that differ, a byte for each code point. It lies in a `TokenFile`.
///
/// `@unchecked`: it only points into memory that nobody writes, which `TokenFile` keeps.
package struct CharacterClasses: @unchecked Sendable {
    /// `\p{L}`.
    package static let letter: UInt8 = 1
    /// `\p{N}`.
    package static let number: UInt8 = 2
    /// `\s`.
    package static let space: UInt8 = 4
    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`.
    package static let upper: UInt8 = 8
    /// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
    package static let lower: UInt8 = 16
    /// `[\r\n]`.
    package static let newline: UInt8 = 32

    package static let blockSize = 128
    package static let indexCount = 0x11_0000 / blockSize
    static let indexBytes = 2 * indexCount
    /// An index is two bytes, and so many blocks are never needed.
    static let mostBlocks = 4_096

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

    /// Of an ASCII character; the first block is that of the code points from 0 on.
    @inline(__always)
    func ofASCII(_ byte: UInt8) -> UInt8 { blocks[Int(byte)] }

    /// Of a code point under 0x110000.
    @inline(__always)
    func of(_ point: UInt32) -> UInt8 {
        let block = Int(index[Int(point >> 7)])
        guard block < blockCount else { return 0 }
        return blocks[block << 7 | Int(point & 127)]
    }
}

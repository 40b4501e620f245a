/// The character classes of each Unicode code point, such as `\p{L}`, as bits.
///
/// Code points are grouped in blocks of 128. The index table has the two-byte number of the block for each 128 code
/// points. A block has one byte for each of its code points, which contains the classes.
///
/// `@unchecked`: the pointers only refer to read-only memory, which `TokenFile` keeps alive.
package struct CharacterClasses: @unchecked Sendable {
    /// The bit of the class `\p{L}` (letters).
    package static let letter: UInt8 = 1
    /// The bit of the class `\p{N}` (numbers).
    package static let number: UInt8 = 2
    /// The bit of the class `\s` (white space).
    package static let space: UInt8 = 4
    /// The bit of the class `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]` (upper-case letters, letters without case, and marks).
    package static let upper: UInt8 = 8
    /// The bit of the class `[\p{Ll}\p{Lm}\p{Lo}\p{M}]` (lower-case letters, letters without case, and marks).
    package static let lower: UInt8 = 16
    /// The bit of the class `[\r\n]` (line ends).
    package static let newline: UInt8 = 32

    package static let blockSize = 128
    package static let indexCount = 0x11_0000 / blockSize
    static let indexBytes = 2 * indexCount
    /// The largest number of blocks of 128 code points in a valid token file.
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

    /// Returns the classes of an ASCII character, which are in the first block.
    @inline(__always)
    func ofASCII(_ byte: UInt8) -> UInt8 { blocks[Int(byte)] }

    /// Returns the classes of a code point. The code point must be below 0x110000.
    @inline(__always)
    func of(_ point: UInt32) -> UInt8 {
        let block = Int(index[Int(point >> 7)])
        guard block < blockCount else { return 0 }
        return blocks[block << 7 | Int(point & 127)]
    }
}

/// Texts as they are written in JSON between their quotes, for events that are read without a parser.
package struct WrittenText: ~Copyable {
    private var decoded = ByteBuffer()

    package init() {}

    /// The text, valid until the next call; nil: it is not written in a simple way, or not as JSON demands.
    package mutating func text(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        written.isPlain ? written : unescaped(written)
    }

    private mutating func unescaped(_ written: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard written.isASCII || written.isUTF8 else { return nil }
        decoded.removeAll()
        let room = decoded.reserve(written.count)
        var length = 0
        var isEscape = false
        for byte in written {
            var decodedByte = byte
            if isEscape {
                guard let meant = Self.meaning(ofEscape: byte) else { return nil }
                decodedByte = meant
                isEscape = false
            } else if byte == UInt8(ascii: "\\") {
                isEscape = true
                continue
            } else if byte < 32 || byte == UInt8(ascii: "\"") {
                return nil
            }
            room.storeBytes(of: decodedByte, toByteOffset: length, as: UInt8.self)
            length += 1
        }
        decoded.wrote(length)
        return isEscape ? nil : decoded.bytes
    }

    /// Of those with one letter.
    private static func meaning(ofEscape byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "n"): 10
        case UInt8(ascii: "t"): 9
        case UInt8(ascii: "r"): 13
        case UInt8(ascii: "b"): 8
        case UInt8(ascii: "f"): 12
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
        default: nil
        }
    }
}

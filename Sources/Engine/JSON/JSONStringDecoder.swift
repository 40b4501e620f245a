/// A decoder for the content of a JSON string, without the quotes.
package struct JSONStringDecoder: ~Copyable {
    private var decoded = ByteBuffer()

    package init() {}

    /// Returns the decoded text, valid until the next call; nil if the content is invalid or has a `\u` escape.
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

    /// Returns the character of an escape from the byte after the backslash; nil for `\u` and invalid escapes.
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

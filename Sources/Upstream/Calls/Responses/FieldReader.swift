package import Engine

extension ByteBuffer {
    /// Appends a number: seven bits in each byte, the lowest bits first.
    package mutating func append(field number: Int) {
        var rest = UInt64(bitPattern: Int64(number))
        while rest > 127 {
            append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// Appends bytes after their number.
    package mutating func append(field bytes: UnsafeRawBufferPointer) {
        append(field: bytes.count)
        append(bytes)
    }
}

/// A reader for fields that were written by `ByteBuffer.append(field:)`. Its methods return nil if the data is damaged.
package struct FieldReader {
    private let bytes: UnsafeRawBufferPointer
    package private(set) var offset: Int

    package init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    var isAtEnd: Bool { offset >= bytes.count }

    package mutating func number() -> Int? {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count, shift < 64 {
            let byte = bytes[offset]
            offset += 1
            number |= UInt64(byte & 127) << shift
            if byte < 128 { return Int(Int64(bitPattern: number)) }
            shift += 7
        }
        return nil
    }

    package mutating func text() -> UnsafeRawBufferPointer? {
        guard let count = number(), count >= 0, count <= bytes.count - offset else { return nil }
        defer { offset += count }
        return bytes[part: offset..<(offset + count)]
    }

    /// Reads two expected bytes and the text after them.
    ///
    /// Returns nil, and reads nothing, if the data differs or ends early, or the text has 128 bytes or more.
    /// - Parameter numbers: the two expected bytes in memory order.
    mutating func shortText(after numbers: UInt16) -> UnsafeRawBufferPointer? {
        guard bytes.count - offset >= 3, let here = bytes.baseAddress.map({ $0 + offset }),
            here.loadUnaligned(as: UInt16.self) == numbers,
            case let count = Int(here.load(fromByteOffset: 2, as: UInt8.self)),
            count < 128, count <= bytes.count - offset - 3
        else { return nil }
        offset += 3 + count
        return UnsafeRawBufferPointer(start: here + 3, count: count)
    }

    /// Returns the number of bytes of an encoded number, which must not be negative.
    static func length(of number: Int) -> Int { max(1, (70 - (number | 1).leadingZeroBitCount) / 7) }

    /// Writes an encoded number, which must not be negative.
    static func write(_ number: Int, to address: UnsafeMutableRawPointer) {
        var (rest, address) = (number, address)
        while rest > 127 {
            address.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 128, as: UInt8.self)
            rest >>= 7
            address += 1
        }
        address.storeBytes(of: UInt8(rest), as: UInt8.self)
    }
}

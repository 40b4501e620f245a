extension Sequence<UInt8> {
    /// Returns the bytes with percent-encoding (RFC 3986, 2.1), except letters, digits and the characters of `marks`.
    package func percentEncoded(except marks: StaticString) -> String {
        var out = ByteBuffer()
        for byte in self {
            if byte.isLetterOrDigit(or: marks) {
                out.append(byte)
            } else {
                out.append("%")
                out.append(digits[Int(byte >> 4)])
                out.append(digits[Int(byte & 15)])
            }
        }
        return out.text
    }
}

private let digits = Array("0123456789ABCDEF".utf8)

extension RandomAccessCollection<UInt8> {
    /// The bytes without one layer of percent-encoding. A percent sign that begins no escape stays as it is.
    package var percentDecoded: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(count)
        var rest = self[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let high = rest.first?.hexValue, let low = rest.dropFirst().first?.hexValue {
                out.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                out.append(byte)
            }
        }
        return out
    }
}

extension UInt8 {
    /// Whether the byte is an ASCII letter, a digit, or one of the characters of `marks`.
    package func isLetterOrDigit(or marks: StaticString) -> Bool {
        isLetterOrDigit || marks.withUTF8Buffer { $0.contains(self) }
    }

    /// The value of this byte as a hexadecimal digit; nil if it is not such a digit.
    package var hexValue: UInt8? {
        switch self {
        case 48...57: self - 48
        case 65...70: self - 55
        case 97...102: self - 87
        default: nil
        }
    }
}

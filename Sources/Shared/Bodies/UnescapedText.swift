import Engine

/// A text without the escapes of JSON and of URLs, and the offset of each of its bytes in the original.
///
/// The text can be JSON within strings of JSON, however deep. So a key is found in `a\/b`, in `a\\\/b`, in `a\\u002fb`
/// and in `a%2Fb`. All line ends and tabs become 10.
struct UnescapedText {
    private(set) var bytes: [UInt8] = []
    private let original: [UInt8]
    /// The offset in the original at which each byte begins, and the offset after the last one.
    private var starts: [Int] = []

    /// The byte that replaces an escaped character that is not ASCII.
    private static let other: UInt8 = 0xff
    private static let backslash = UInt8(ascii: "\\")
    private static let quote = UInt8(ascii: "\"")

    init(_ original: [UInt8]) {
        self.original = original
        bytes.reserveCapacity(original.count)
        starts.reserveCapacity(original.count + 1)
        var offset = 0
        while offset < original.count {
            var (byte, end) = (original[offset], offset + 1)
            if byte == Self.backslash || byte == UInt8(ascii: "%") {
                let escape = byte == Self.backslash ? backslashEscape(at: offset) : percentEscape(at: offset)
                // The text was cut within this escape.
                guard let escape else { break }
                (byte, end) = escape
            }
            bytes.append(byte)
            starts.append(offset)
            offset = end
        }
        starts.append(offset)
        StepCount.add(original.count)
    }

    /// Returns the original text with a mask in place of those bytes for which `isMasked` is true.
    func original(_ isMasked: [Bool]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(original.count)
        var offset = 0
        while offset < bytes.count {
            let start = offset
            while offset < bytes.count, isMasked[offset] == isMasked[start] { offset += 1 }
            if isMasked[start] {
                out += SecretShapes.mask.utf8
            } else {
                out += original[starts[start]..<starts[offset]]
            }
        }
        return out + original[starts[bytes.count]...]
    }

    /// Returns how many strings of JSON a quote is nested in: 0 for `"`, 1 for `\"`, 2 for `\\\"`. Nil if the byte is not
    /// a quote that can begin or end a string.
    func level(ofQuote offset: Int) -> Int? {
        StepCount.add(1)
        guard bytes[offset] == Self.quote else { return nil }
        let (start, end) = (starts[offset], starts[offset + 1])
        // Each level doubles the backslashes: those of the quote itself, and pairs of them before it.
        if original[end - 1] == Self.quote { return (end - start).trailingZeroBitCount }
        guard original[start] == Self.backslash else { return nil }
        let backslashes = end - start - 5
        return backslashes > 0 ? Int.bitWidth - backslashes.leadingZeroBitCount : nil
    }

    /// Returns the offset of the first byte at or after `start` that is not white space.
    func skipSpace(_ start: Int) -> Int {
        var offset = start
        while offset < bytes.count, bytes[offset] == 32 || 9...13 ~= bytes[offset] { offset += 1 }
        StepCount.add(offset - start)
        return offset
    }

    /// Returns the character of an escape that begins with a backslash, and the offset after it; nil if it is cut off.
    private func backslashEscape(at offset: Int) -> (UInt8, Int)? {
        var end = offset
        while end < original.count, original[end] == Self.backslash {
            end += 1
            // A backslash in a string in a string can be written so.
            while let code = code(at: end), code == Int(Self.backslash) { end += 5 }
        }
        guard end < original.count else { return nil }
        switch original[end] {
        case UInt8(ascii: "u"):
            if let code = code(at: end) { return (code < 0x80 ? UInt8(code) : Self.other, end + 5) }
            if original.count < end + 5, original[(end + 1)...].allSatisfy({ $0.hexValue != nil }) { return nil }
            return (original[end], end + 1)
        case UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "f"):
            return (10, end + 1)
        default: return (original[end], end + 1)
        }
    }

    /// Returns the byte of an escape that begins with a percent sign, and the offset after it; nil if it is cut off.
    private func percentEscape(at offset: Int) -> (UInt8, Int)? {
        var end = offset + 1
        while end + 1 < original.count, original[end] == UInt8(ascii: "2"), original[end + 1] == UInt8(ascii: "5") {
            end += 2
        }
        let digits = original[end...].prefix(2)
        guard digits.allSatisfy({ $0.hexValue != nil }) else { return (original[offset], end) }
        return digits.count == 2 ? (UInt8(truncatingIfNeeded: Self.number(digits)), end + 2) : nil
    }

    /// Returns the number in `u0041` at this offset; nil if something else is there.
    private func code(at offset: Int) -> Int? {
        guard offset + 5 <= original.count, original[offset] == UInt8(ascii: "u") else { return nil }
        let digits = original[(offset + 1)..<(offset + 5)]
        return digits.allSatisfy { $0.hexValue != nil } ? Self.number(digits) : nil
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int {
        digits.reduce(0) { $0 << 4 + Int($1 < 58 ? $1 - 48 : ($1 | 32) - 87) }
    }
}

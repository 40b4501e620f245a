/// A replacer of numbers in JSON text that are valid but too large for simdjson. Each is replaced by a number of the
/// same length and nearly the same value, within the range of `Double`.
struct LargeNumberReplacer {
    /// The number of leading digits that a replaced integer keeps.
    private static let keptDigits = 17  // More digits would not change the value as a `Double`.
    /// The largest exponent that is safe for a `Double` with one digit before the decimal point.
    private static let maxExponent = 307

    /// Returns a copy of the text in which too large numbers are replaced; nil if there are none.
    static func held(in text: UnsafeRawBufferPointer) -> ByteBuffer? {
        var held = ByteBuffer()
        held.append(text)
        let bytes = UnsafeMutableRawBufferPointer(mutating: held.bytes)
        var isChanged = false
        var isInString = false
        var offset = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            if isInString {
                if byte == UInt8(ascii: "\\") { offset += 1 }
                isInString = byte != UInt8(ascii: "\"")
                offset += 1
            } else if isDigit(byte) {
                let start = offset
                while offset < bytes.count, isOfNumber(bytes[offset]) { offset += 1 }
                let isNegative = start > 0 && bytes[start - 1] == UInt8(ascii: "-")
                let number = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<offset])
                if hold(number, isNegative: isNegative) { isChanged = true }
            } else {
                isInString = byte == UInt8(ascii: "\"")
                offset += 1
            }
        }
        guard isChanged else { return nil }
        return held
    }

    private static func hold(_ number: UnsafeMutableRawBufferPointer, isNegative: Bool) -> Bool {
        let digits = number.prefix(while: isDigit).count
        if digits == number.count { return holdInteger(number, isNegative: isNegative) }
        let mark = number.firstIndex { $0 | 32 == UInt8(ascii: "e") } ?? number.count
        var first = mark + 1
        if first < number.count, number[first] == UInt8(ascii: "+") { first += 1 }
        let exponent = number[min(first, number.count)...]
        let most = maxExponent - digits + 1
        guard digits <= maxExponent, !exponent.isEmpty, exponent.allSatisfy(isDigit), !exponent.isAtMost(most) else {
            return false
        }
        write(most, into: UnsafeMutableRawBufferPointer(rebasing: exponent))
        return true
    }

    private static func holdInteger(_ digits: UnsafeMutableRawBufferPointer, isNegative: Bool) -> Bool {
        let bound: StaticString = isNegative ? "9223372036854775808" : "18446744073709551615"
        let limit = UnsafeRawBufferPointer(start: bound.utf8Start, count: bound.utf8CodeUnitCount)
        let isAbove = digits.count == limit.count && limit.lexicographicallyPrecedes(digits)
        guard digits.count > limit.count || isAbove, digits.count > keptDigits + 1 else { return false }
        digits[keptDigits] = UInt8(ascii: "e")
        let exponent = min(digits.count - keptDigits, maxExponent - keptDigits + 1)
        write(exponent, into: UnsafeMutableRawBufferPointer(rebasing: digits[(keptDigits + 1)...]))
        return true
    }

    /// Overwrites all of `digits` with the decimal digits of `value`, with leading zeros.
    private static func write(_ value: Int, into digits: UnsafeMutableRawBufferPointer) {
        var value = value
        for index in digits.indices.reversed() {
            digits[index] = UInt8(ascii: "0") + UInt8(value % 10)
            value /= 10
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }
}

extension Slice<UnsafeMutableRawBufferPointer> {
    /// Returns whether the decimal number in these bytes is at most `bound`. The bytes must be digits.
    fileprivate func isAtMost(_ bound: Int) -> Bool {
        let value = reduce(0) { $0 > 10_000 ? $0 : $0 * 10 + Int($1 - 48) }
        return value <= bound
    }
}

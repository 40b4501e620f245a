/// The encoding of numbers in records: seven bits per byte, the highest bits first. No number begins with the byte
/// `run`, which stands for several empty buckets.
enum Varint {
    static let run: UInt8 = 0x80
    /// The upper bound of encoded numbers. The bound itself is not allowed.
    static let bound = 1 << 56

    static func write(_ number: Int, to bytes: inout [UInt8]) {
        var shift = 0
        while number >> (shift + 7) > 0 { shift += 7 }
        while shift > 0 {
            bytes.append(UInt8(number >> shift & 127) | 0x80)
            shift -= 7
        }
        bytes.append(UInt8(number & 127))
    }

    /// Returns the number of bytes that `write` appends for a number.
    static func length(_ number: Int) -> Int { max(1, (Int.bitWidth - number.leadingZeroBitCount + 6) / 7) }

    /// Appends a word as eight bytes, the highest byte first.
    static func write(_ word: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }

    struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func byte() -> UInt8? { rest.popFirst() }

        mutating func word() -> UInt64? {
            guard rest.count >= 8 else { return nil }
            var word: UInt64 = 0
            for _ in 0..<8 { word = word << 8 | UInt64(rest.popFirst() ?? 0) }
            return word
        }

        mutating func number() -> Int? {
            guard rest.first != Varint.run else { return nil }
            var number = 0
            while let byte = rest.popFirst() {
                number = number << 7 | Int(byte & 127)
                guard number < Varint.bound else { return nil }
                if byte < 128 { return number }
            }
            return nil
        }
    }
}

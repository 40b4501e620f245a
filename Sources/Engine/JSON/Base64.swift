/// The two forms of Base64 (RFC 4648): standard with padding, and for URLs without padding.
package enum Base64: Sendable {
    case standard
    case url

    package func text(_ bytes: [UInt8]) -> String {
        var text = ByteBuffer()
        bytes.withUnsafeBytes { text.append(base64: $0, self) }
        return text.text
    }

    /// Decodes a Base64 text. Returns nil if the text is invalid. The padding of the standard form may be missing.
    package func bytes(_ text: some Collection<UInt8>) -> [UInt8]? {
        let values = self == .standard ? Self.standardValues : Self.urlValues
        let copied = text.withContiguousStorageIfAvailable { decoded($0, values) }
        return copied ?? Array(text).withUnsafeBufferPointer { decoded($0, values) }
    }

    private func decoded(_ text: UnsafeBufferPointer<UInt8>, _ values: [UInt8]) -> [UInt8]? {
        var end = text.count
        if self == .standard, end > 0, end % 4 == 0 {
            for _ in 0..<2 where text[end - 1] == UInt8(ascii: "=") { end -= 1 }
        }
        guard end % 4 != 1 else { return nil }
        var isAlphabet = true
        var left: UInt32 = 0
        let count = end / 4 * 3 + max(0, end % 4 - 1)
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, initialized in
            var held: UInt32 = 0
            var bits: UInt32 = 0
            var next = 0
            for offset in 0..<end {
                let value = values[Int(text[offset])]
                if value > 63 { isAlphabet = false }
                bits = bits << 6 | UInt32(value & 63)
                held += 6
                guard held >= 8 else { continue }
                held -= 8
                room[next] = UInt8(truncatingIfNeeded: bits >> held)
                next += 1
            }
            left = bits & (1 << held - 1)
            initialized = next
        }
        return isAlphabet && left == 0 ? bytes : nil
    }

    /// The value of each character of the standard alphabet, by its byte; 255 for other bytes.
    private static let standardValues = values(standardAlphabet)
    private static let urlValues = values(urlAlphabet)

    private static func values(_ alphabet: String) -> [UInt8] {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.utf8.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }

    private static let standardAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    private static let urlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
}

extension ByteBuffer {
    /// Appends `data` as Base64 text, without line breaks.
    package mutating func append(base64 data: UnsafeRawBufferPointer, _ kind: Base64 = .standard) {
        let whole = data.count / 3 * 3
        let padded = (data.count + 2) / 3 * 4
        // The last two characters of the alphabet.
        let last: (UInt32, UInt32) = kind == .url ? (45, 95) : (43, 47)
        let room = reserve(padded)
        var offset = 0
        for index in stride(from: 0, to: whole, by: 3) {
            let word = UInt32(data[index]) << 16 | UInt32(data[index + 1]) << 8 | UInt32(data[index + 2])
            room.storeBytes(of: letters(word, last), toByteOffset: offset, as: UInt32.self)
            offset += 4
        }
        if data.count > whole {
            let second = data.count - whole == 2 ? UInt32(data[whole + 1]) : 0
            room.storeBytes(
                of: letters(UInt32(data[whole]) << 16 | second << 8, last),
                toByteOffset: offset,
                as: UInt32.self
            )
            let padding = data.count - whole == 2 ? 1 : 2
            for index in (padded - padding)..<padded {
                room.storeBytes(of: UInt8(ascii: "="), toByteOffset: index, as: UInt8.self)
            }
            wrote(kind == .url ? padded - padding : padded)
        } else {
            wrote(padded)
        }
    }
}

/// Returns the four Base64 characters for the lowest 24 bits of `word`, the first in the lowest byte.
/// - Parameter last: the last two characters of the alphabet.
private func letters(_ word: UInt32, _ last: (UInt32, UInt32)) -> UInt32 {
    letter(word >> 18 & 63, last) | letter(word >> 12 & 63, last) << 8 | letter(word >> 6 & 63, last) << 16
        | letter(word & 63, last) << 24
}

private func letter(_ value: UInt32, _ last: (UInt32, UInt32)) -> UInt32 {
    switch value {
    case 0..<26: value + 65
    case 26..<52: value + 71
    case 52..<62: value - 4
    case 62: last.0
    default: last.1
    }
}

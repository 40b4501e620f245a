/// Base64 (RFC 4648): the standard alphabet with padding, or the one for URLs without.
package enum Base64: Sendable {
    case standard
    case url

    package func text(_ bytes: [UInt8]) -> String {
        let alphabet = Array((self == .url ? Self.urlAlphabet : Self.standardAlphabet).utf8)
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits = group.reduce(0) { $0 << 8 | Int($1) }
            bits <<= 8 * (3 - group.count)
            for place in 0...3 where place <= group.count { text.append(alphabet[bits >> (18 - 6 * place) & 63]) }
            if self == .standard { for _ in group.count..<3 { text.append(UInt8(ascii: "=")) } }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil: another character, a wrong length, or unused bits that are not 0, so that one value has one text. Padding of
    /// the standard alphabet may be left out.
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
            for place in 0..<end {
                let value = values[Int(text[place])]
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

    /// The value of each character; 255: none.
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

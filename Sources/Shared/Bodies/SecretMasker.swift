import Engine

/// Replaces the keys and passwords in one text by `***`.
struct SecretMasker {
    private let text: UnescapedText
    private var isMasked: [Bool]
    /// The levels of JSON in strings of JSON in which values of members with secret names are masked.
    private static let maxLevels = 8

    /// Returns the text with all secrets masked. Also masks the beginning of a secret at the end of the text, because
    /// the rest may have been cut off.
    static func masked(_ text: [UInt8], _ finders: [SecretFinder]) -> [UInt8] {
        var masker = SecretMasker(text)
        for finder in finders { masker.mask(finder) }
        masker.maskShapes()
        masker.maskNamedValues()
        return masker.text.original(masker.isMasked)
    }

    private init(_ text: [UInt8]) {
        self.text = UnescapedText(text)
        isMasked = [Bool](repeating: false, count: self.text.bytes.count)
    }

    private mutating func mask(_ range: Range<Int>) {
        StepCount.add(range.count)
        for offset in range { isMasked[offset] = true }
    }

    private mutating func mask(_ finder: SecretFinder) {
        var start = Int.max
        // From the end, so that no byte is visited twice: all bytes between `start` and the end of this range are masked.
        for range in finder.ranges(in: text.bytes, findsPart: true).reversed() {
            mask(range.lowerBound..<max(range.lowerBound, min(range.upperBound, start)))
            start = min(start, range.lowerBound)
        }
    }

    private mutating func maskShapes() {
        let bytes = text.bytes
        var offset = 0
        while offset < bytes.count {
            let start = offset
            while offset < bytes.count, SecretShapes.isKeyByte(bytes[offset]) { offset += 1 }
            let isAtEnd = offset == bytes.count
            if SecretShapes.isKey(bytes[start..<offset], isAtEnd: isAtEnd, after: bytes[..<start]) {
                mask(start..<offset)
            }
            offset += 1
        }
    }

    /// Masks the values of members with names such as `password`, also in strings that contain JSON.
    private mutating func maskNamedValues() {
        let bytes = text.bytes
        var last = [Int?](repeating: nil, count: Self.maxLevels)
        var offset = 0
        while offset < bytes.count {
            guard let level = text.level(ofQuote: offset), level < Self.maxLevels else {
                offset += 1
                continue
            }
            let name = last[level].map { bytes[($0 + 1)..<offset] }
            last[level] = offset
            offset += 1
            let colon = text.skipSpace(offset)
            guard let name, colon < bytes.count, bytes[colon] == UInt8(ascii: ":") else { continue }
            let value = text.skipSpace(colon + 1)
            guard value < bytes.count, bytes[value] == UInt8(ascii: "\"") || bytes[value] == UInt8(ascii: "["),
                SecretShapes.isName(name)
            else { continue }
            offset = maskStrings(at: value, level)
        }
    }

    /// Masks the string, or the strings of the list, that begins at `start`. Returns the offset after them.
    private mutating func maskStrings(at start: Int, _ level: Int) -> Int {
        let bytes = text.bytes
        let isList = bytes[start] == UInt8(ascii: "[")
        var next = isList ? text.skipSpace(start + 1) : start
        while next < bytes.count, text.level(ofQuote: next) == level {
            var end = next + 1
            while end < bytes.count, text.level(ofQuote: end).map({ $0 > level }) ?? true { end += 1 }
            mask((next + 1)..<end)
            next = min(end + 1, bytes.count)
            guard isList, case let comma = text.skipSpace(next), comma < bytes.count, bytes[comma] == UInt8(ascii: ",")
            else { break }
            next = text.skipSpace(comma + 1)
        }
        return next
    }
}

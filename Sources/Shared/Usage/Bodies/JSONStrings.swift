import Engine

/// A reader that finds the strings in a JSON text, one after the other. A text that is not JSON causes no error.
struct JSONStrings {
    struct FoundString {
        /// The range of the bytes between the quotes. Escape sequences are not decoded.
        let content: Range<Int>
        /// Whether the string is the name of a JSON member.
        let isName: Bool
    }

    private let bytes: UnsafeRawBufferPointer
    /// The position up to which the text was read: that of the last string's closing quote.
    private(set) var position = 0
    private var isInside = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Returns the next string; nil if there are no more strings.
    mutating func next() -> FoundString? {
        if isInside { position += 1 }
        isInside = false
        guard let quote = bytes[part: position..<bytes.count].first(34) else { return nil }
        let start = position + quote + 1
        position = JSONShape.endOfString(in: bytes, after: start)
        // The text may have been cut within the string.
        isInside = position < bytes.count
        return FoundString(content: start..<position, isName: isInside && isColon(after: position))
    }

    private func isColon(after quote: Int) -> Bool {
        var next = quote + 1
        while next < bytes.count, [32, 9, 10, 13].contains(bytes[next]) { next += 1 }
        return next < bytes.count && bytes[next] == UInt8(ascii: ":")
    }
}

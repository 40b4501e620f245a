import Glibc

/// The strings of a JSON text, one after the other. Any bytes can be read: what is no JSON has strings at odd places.
struct JSONStrings {
    struct Found {
        /// The bytes between the quotes, with their escapes.
        let content: Range<Int>
        /// Whether the string is the name of a member.
        let isName: Bool
    }

    private let bytes: UnsafeRawBufferPointer
    /// The end of what was read: behind a string's content.
    private(set) var position = 0
    private var isInside = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Returns the next string; nil if there is none.
    mutating func next() -> Found? {
        if isInside { position += 1 }
        isInside = false
        guard let quote = find(34, from: position) else { return nil }
        let start = quote + 1
        var end = start
        while let found = find(34, from: end) {
            var backslashes = 0
            while found - backslashes > start, bytes[found - backslashes - 1] == 92 { backslashes += 1 }
            if backslashes % 2 == 0 {
                position = found
                isInside = true
                return Found(content: start..<found, isName: isColon(after: found))
            }
            end = found + 1
        }
        // The text was cut within the string.
        position = bytes.count
        return Found(content: start..<bytes.count, isName: false)
    }

    private func isColon(after quote: Int) -> Bool {
        var next = quote + 1
        while next < bytes.count, [32, 9, 10, 13].contains(bytes[next]) { next += 1 }
        return next < bytes.count && bytes[next] == UInt8(ascii: ":")
    }

    private func find(_ byte: Int32, from start: Int) -> Int? {
        guard start < bytes.count, let base = bytes.baseAddress else { return nil }
        return memchr(base + start, byte, bytes.count - start).map { UnsafeRawPointer($0) - base }
    }
}

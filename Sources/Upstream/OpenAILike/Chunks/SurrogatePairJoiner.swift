import Engine

/// Repairs events that contain half of a surrogate pair. JSON may write a character outside the basic plane as two
/// escapes, and some servers split them over two events. Half a pair is no valid text.
struct SurrogatePairJoiner: ~Copyable {
    /// The escape of a first half that waits for the second one; empty if there is none.
    private var first: [UInt8] = []
    private var rewritten = ByteBuffer()

    private static let escapeBytes = 6

    /// Returns an event that is not valid JSON after repairing it; nil if it contains no half of a pair. Valid until
    /// the next call.
    ///
    /// A half at the end of a text is held back for the next text that begins with the other half. Other halves become
    /// U+FFFD.
    mutating func rewritten(_ data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        rewritten.removeAll()
        var (position, copied) = (0, 0)
        while let found = data[part: position..<data.count].first(UInt8(ascii: "\\")) {
            position += found
            guard let half = Self.half(data, at: position) else {
                position = min(position + 2, data.count)
                continue
            }
            let end = position + Self.escapeBytes
            if half == .first, Self.half(data, at: end) == .second {
                position = end + Self.escapeBytes
                continue
            }
            rewritten.append(data[part: copied..<position])
            if half == .first, end < data.count, data[end] == UInt8(ascii: "\"") {
                first = Array(data[part: position..<end])
            } else if half == .second, !first.isEmpty, position > 0, data[position - 1] == UInt8(ascii: "\"") {
                first.withUnsafeBytes { rewritten.append($0) }
                rewritten.append(data[part: position..<end])
                first = []
            } else {
                rewritten.append(#"\ufffd"#)
            }
            (position, copied) = (end, end)
        }
        guard copied > 0 else { return nil }
        rewritten.append(data[part: copied..<data.count])
        return rewritten.bytes
    }

    private enum Half {
        case first
        case second
    }

    /// Returns which half of a pair is escaped at a position; nil if none is.
    private static func half(_ data: UnsafeRawBufferPointer, at position: Int) -> Half? {
        guard position + escapeBytes <= data.count, data[position] == UInt8(ascii: "\\"),
            data[position + 1] == UInt8(ascii: "u"), data[position + 2] | 32 == UInt8(ascii: "d")
        else { return nil }
        switch data[position + 3] | 32 {
        case UInt8(ascii: "8"), UInt8(ascii: "9"), UInt8(ascii: "a"), UInt8(ascii: "b"): return .first
        case UInt8(ascii: "c")...UInt8(ascii: "f"): return .second
        default: return nil
        }
    }
}

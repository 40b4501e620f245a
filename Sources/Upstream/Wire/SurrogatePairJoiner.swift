import Engine

/// A joiner for surrogate pairs (`\ud83d\ude00`) whose halves arrive in two events.
struct SurrogatePairJoiner: ~Copyable {
    /// The first half of a surrogate pair, while the second half has not arrived; otherwise empty.
    private var first: [UInt8] = []
    private var rewritten = ByteBuffer()

    private static let escapeBytes = 6

    /// Returns an event's JSON without half surrogate pairs, valid until the next call; nil if it has only whole ones.
    /// A first half at the end of a string is held back for the next event.
    /// - Parameter isWhole: whether no event follows, so that nothing is held back.
    mutating func rewritten(_ data: UnsafeRawBufferPointer, isWhole: Bool = false) -> UnsafeRawBufferPointer? {
        rewritten.removeAll()
        var (offset, copied) = (0, 0)
        while let found = data[part: offset..<data.count].first(UInt8(ascii: "\\")) {
            offset += found
            guard let half = Self.half(data, at: offset) else {
                offset = min(offset + 2, data.count)
                continue
            }
            let end = offset + Self.escapeBytes
            if half == .first, Self.half(data, at: end) == .second {
                offset = end + Self.escapeBytes
                continue
            }
            rewritten.append(data[part: copied..<offset])
            if half == .first, !isWhole, end < data.count, data[end] == UInt8(ascii: "\"") {
                first = Array(data[part: offset..<end])
            } else if half == .second, !first.isEmpty, offset > 0, data[offset - 1] == UInt8(ascii: "\"") {
                first.withUnsafeBytes { rewritten.append($0) }
                rewritten.append(data[part: offset..<end])
                first = []
            } else {
                rewritten.append(#"\ufffd"#)
            }
            (offset, copied) = (end, end)
        }
        guard copied > 0 else { return nil }
        rewritten.append(data[part: copied..<data.count])
        return rewritten.bytes
    }

    private enum Half {
        case first
        case second
    }

    /// Returns which half of a surrogate pair begins at the offset, as an escape such as `\ud83d`; nil if none does.
    private static func half(_ data: UnsafeRawBufferPointer, at offset: Int) -> Half? {
        guard offset + escapeBytes <= data.count, data[offset] == UInt8(ascii: "\\"),
            data[offset + 1] == UInt8(ascii: "u"), data[offset + 2] | 32 == UInt8(ascii: "d")
        else { return nil }
        switch data[offset + 3] | 32 {
        case UInt8(ascii: "8"), UInt8(ascii: "9"), UInt8(ascii: "a"), UInt8(ascii: "b"): return .first
        case UInt8(ascii: "c")...UInt8(ascii: "f"): return .second
        default: return nil
        }
    }
}

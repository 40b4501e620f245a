import Engine

/// Repairs events that contain half of a surrogate pair. JSON may write a character outside the basic plane as two
/// escapes, and some servers split them over two events. Half a pair is no valid text.
struct SplitPairs: ~Copyable {
    /// The escape of a first half that waits for the second one; empty if there is none.
    private var first: [UInt8] = []
    private var mended = ByteBuffer()

    private static let escapeBytes = 6

    /// Returns an event that is not valid JSON after repairing it; nil if it contains no half of a pair. Valid until
    /// the next call.
    ///
    /// A half at the end of a text is held back for the next text that begins with the other half. Other halves become
    /// U+FFFD.
    mutating func mended(_ data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        mended.removeAll()
        var (place, copied) = (0, 0)
        while let found = data[part: place..<data.count].first(UInt8(ascii: "\\")) {
            place += found
            guard let half = Self.half(data, at: place) else {
                place = min(place + 2, data.count)
                continue
            }
            let end = place + Self.escapeBytes
            if half == .first, Self.half(data, at: end) == .second {
                place = end + Self.escapeBytes
                continue
            }
            mended.append(data[part: copied..<place])
            if half == .first, end < data.count, data[end] == UInt8(ascii: "\"") {
                first = Array(data[part: place..<end])
            } else if half == .second, !first.isEmpty, place > 0, data[place - 1] == UInt8(ascii: "\"") {
                first.withUnsafeBytes { mended.append($0) }
                mended.append(data[part: place..<end])
                first = []
            } else {
                mended.append(#"\ufffd"#)
            }
            (place, copied) = (end, end)
        }
        guard copied > 0 else { return nil }
        mended.append(data[part: copied..<data.count])
        return mended.bytes
    }

    private enum Half {
        case first
        case second
    }

    /// Returns which half of a pair is escaped at a position; nil if none is.
    private static func half(_ data: UnsafeRawBufferPointer, at place: Int) -> Half? {
        guard place + escapeBytes <= data.count, data[place] == UInt8(ascii: "\\"),
            data[place + 1] == UInt8(ascii: "u"), data[place + 2] | 32 == UInt8(ascii: "d")
        else { return nil }
        switch data[place + 3] | 32 {
        case UInt8(ascii: "8"), UInt8(ascii: "9"), UInt8(ascii: "a"), UInt8(ascii: "b"): return .first
        case UInt8(ascii: "c")...UInt8(ascii: "f"): return .second
        default: return nil
        }
    }
}

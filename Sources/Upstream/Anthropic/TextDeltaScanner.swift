import Engine

/// Reads stream events that contain only a chunk of text. This is faster than the JSON parser.
struct TextDeltaScanner: ~Copyable {
    /// The bytes before the text in the last text event; empty before the first text event.
    private var opening = ByteBuffer()
    private var texts = JSONStringDecoder()

    private static let name: StaticString = "content_block_delta"
    private static let lines: StaticString = "event: content_block_delta\ndata: "

    /// Returns the next event's text if the event differs from the last text event only in its text. Returns nil
    /// otherwise, and for a text that is long, not ASCII or has escapes.
    func text(from events: inout EventStreamParser) -> UnsafeRawBufferPointer? {
        guard !opening.isEmpty else { return nil }
        return events.text(between: opening.bytes, UnsafeRawBufferPointer("\"}"), afterSpaces: "}\n\n")
    }

    /// Returns the text of an event, valid until the next call; nil if the event has other content than text, or
    /// unusual JSON.
    mutating func text(_ data: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let written = Self.written(in: data), let text = texts.text(written) else { return nil }
        if name.equals(Self.name) { keepOpening(data, written) }
        return text
    }

    /// Remembers the bytes before the text of an event, by which later text events are recognised.
    private mutating func keepOpening(_ data: UnsafeRawBufferPointer, _ written: UnsafeRawBufferPointer) {
        guard let start = data.baseAddress, let end = written.baseAddress else { return }
        let before = data[part: 0..<(end - start)]
        let offset = Self.lines.utf8CodeUnitCount
        if opening.count == offset + before.count, opening.bytes[part: offset..<opening.count].hasPrefix(before) {
            return
        }
        opening.removeAll()
        opening.append(Self.lines)
        opening.append(before)
    }

    /// Returns the text of a text event, with JSON escapes not decoded; nil for any other event.
    private static func written(in data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let (start, middle): (StaticString, StaticString) = (
            #"{"type":"content_block_delta","index":"#, #","delta":{"type":"text_delta","text":""#
        )
        let offset = start.utf8CodeUnitCount
        let from = offset + 1 + middle.utf8CodeUnitCount
        guard data.count >= from + 3, data.hasPrefix(start), 48...57 ~= data[offset],
            data[part: (offset + 1)..<data.count].hasPrefix(middle)
        else { return nil }
        var end = data.count - 1
        while data[end] == 32, end > from { end -= 1 }
        guard data[end] == UInt8(ascii: "}") else { return nil }
        end -= 1
        while data[end] == 32, end > from { end -= 1 }
        guard end > from, data[end] == UInt8(ascii: "}"), data[end - 1] == UInt8(ascii: "\"") else { return nil }
        return data[part: from..<(end - 1)]
    }
}

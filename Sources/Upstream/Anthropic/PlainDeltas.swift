import Calls
import Engine

/// Events that bring some text and nothing else, as most do. They are told by the bytes around it, without a parser.
struct PlainDeltas: ~Copyable {
    /// The bytes before the text in such an event, as one has come; empty: none has.
    private var opening = ByteBuffer()
    private var texts = WrittenText()

    private static let name: StaticString = "content_block_delta"
    private static let lines: StaticString = "event: content_block_delta\ndata: "

    /// The text of the next event, which needs no escapes; nil: it has to be read in another way.
    func text(from events: inout EventStreamParser) -> UnsafeRawBufferPointer? {
        guard !opening.isEmpty else { return nil }
        return events.text(between: opening.bytes, UnsafeRawBufferPointer("\"}"), afterSpaces: "}\n\n")
    }

    /// The text of an event, valid until the next call; nil: it is another event, or is written in another way.
    mutating func text(
        _ data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        guard let written = Self.written(in: data), let text = texts.text(written) else { return nil }
        if name.equals(Self.name) { keepOpening(data, written) }
        return text
    }

    /// Blocks differ in the digit of their number.
    private mutating func keepOpening(_ data: UnsafeRawBufferPointer, _ written: UnsafeRawBufferPointer) {
        guard let start = data.baseAddress, let end = written.baseAddress else { return }
        let before = data[part: 0..<(end - start)]
        let place = Self.lines.utf8CodeUnitCount
        if opening.count == place + before.count, opening.bytes[part: place..<opening.count].hasPrefix(before) {
            return
        }
        opening.removeAll()
        opening.append(Self.lines)
        opening.append(before)
    }

    /// The text as it is written there. Behind it may be spaces, which Anthropic puts there.
    private static func written(in data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let (start, middle): (StaticString, StaticString) = (
            #"{"type":"content_block_delta","index":"#, #","delta":{"type":"text_delta","text":""#
        )
        let place = start.utf8CodeUnitCount
        let from = place + 1 + middle.utf8CodeUnitCount
        guard data.count >= from + 3, data.hasPrefix(start), 48...57 ~= data[place],
            data[part: (place + 1)..<data.count].hasPrefix(middle)
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

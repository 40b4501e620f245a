import CSimdjson

/// The text of one JSON value. A parser must have accepted the text before; otherwise the results are wrong, but no
/// memory outside the text is read.
package struct RawJSON {
    /// The bytes of the value, without white space around it.
    package let bytes: UnsafeRawBufferPointer

    /// Creates a value from a whole JSON text. Skips a byte order mark.
    package init(_ text: UnsafeRawBufferPointer) {
        var offset = Self.start(of: text)
        Self.skipSpace(text, &offset)
        // A valid text ends with its value.
        var end = text.count
        while end > offset, Self.isSpace(text[end - 1]) { end -= 1 }
        bytes = text[part: offset..<end]
    }

    /// Returns the offset after a UTF-8 byte order mark at the beginning of a text; 0 if there is none.
    static func start(of text: UnsafeRawBufferPointer) -> Int { text.hasPrefix("\u{feff}") ? 3 : 0 }

    /// Creates a value from its own bytes, without white space around them.
    init(value: UnsafeRawBufferPointer) { bytes = value }

    package var isObject: Bool { bytes.first == UInt8(ascii: "{") }
    package var isArray: Bool { bytes.first == UInt8(ascii: "[") }
    package var isNull: Bool { bytes.equals("null") }

    /// The bytes between the quotes of a string, with escapes unchanged; nil for other values.
    package var content: UnsafeRawBufferPointer? {
        guard bytes.count >= 2, bytes.first == UInt8(ascii: "\"") else { return nil }
        return bytes[part: 1..<(bytes.count - 1)]
    }

    /// The members of an object in their order; empty if this value is not an object.
    package var members: Members { Members(bytes, opening: UInt8(ascii: "{")) }

    /// The elements of an array in their order; empty if this value is not an array.
    package var elements: Elements { Elements(bytes, opening: UInt8(ascii: "[")) }

    /// Returns the value of the first member with this name; nil if absent. A name written with escapes is not found.
    package subscript(_ name: StaticString) -> RawJSON? {
        for member in members where member.name.equals(name) { return member.value }
        return nil
    }

    package struct Member {
        /// The name as it is written between its quotes, with escapes left as they are.
        package let name: UnsafeRawBufferPointer
        package let value: RawJSON

        /// The bytes of the member, from the name's opening quote to the value's end.
        package var bytes: UnsafeRawBufferPointer {
            guard let name = name.baseAddress, let value = value.bytes.baseAddress else { return self.name }
            return UnsafeRawBufferPointer(start: name - 1, count: value - name + 1 + self.value.bytes.count)
        }
    }

    package struct Members: Sequence, IteratorProtocol {
        private var items: Elements

        fileprivate init(_ bytes: UnsafeRawBufferPointer, opening: UInt8) { items = Elements(bytes, opening: opening) }

        package mutating func next() -> Member? {
            guard let name = items.next()?.content, let value = items.next() else { return nil }
            return Member(name: name, value: value)
        }
    }

    /// The elements of an array, or the names and values of an object, as a sequence.
    package struct Elements: Sequence, IteratorProtocol {
        private let bytes: UnsafeRawBufferPointer
        private var offset: Int

        fileprivate init(_ bytes: UnsafeRawBufferPointer, opening: UInt8) {
            self.bytes = bytes
            offset = bytes.first == opening ? 1 : bytes.count
        }

        package mutating func next() -> RawJSON? {
            while offset < bytes.count {
                switch bytes[offset] {
                case UInt8(ascii: " "), 9, 10, 13, UInt8(ascii: ","), UInt8(ascii: ":"): offset += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    offset = bytes.count
                    return nil
                default:
                    let start = offset
                    offset = Swift.max(start + 1, RawJSON.end(of: bytes, from: start))
                    return RawJSON(value: bytes[part: start..<offset])
                }
            }
            return nil
        }
    }

    private static func skipSpace(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) {
        while offset < bytes.count, isSpace(bytes[offset]) { offset += 1 }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }

    /// Returns the offset after the end of the value that begins at `start`.
    package static func end(of bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard start < bytes.count else { return bytes.count }
        switch bytes[start] {
        case UInt8(ascii: "\""): return min(bytes.count, JSONShape.endOfString(in: bytes, after: start + 1) + 1)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return endOfNest(bytes, from: start)
        default:
            var offset = start
            while offset < bytes.count {
                switch bytes[offset] {
                case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"), 32, 9, 10, 13:
                    return offset
                default: offset += 1
                }
            }
            return offset
        }
    }

    @inline(never)
    private static func endOfNest(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = bytes.baseAddress else { return bytes.count }
        let nest = (base + start).assumingMemoryBound(to: UInt8.self)
        return start + relay_json_nest(nest, bytes.count - start)
    }
}

extension ByteBuffer {
    /// Appends a comma and then the member, exactly as it is written.
    package mutating func append(next member: RawJSON.Member) { append(",", member.bytes, "") }

    /// Replaces each line end in the JSON text by a space.
    package mutating func putOnOneLine() {
        // A JSON string cannot contain an unescaped line end.
        guard bytes.first(10) != nil || bytes.first(13) != nil, let storage else { return }
        let text = UnsafeMutableRawBufferPointer(start: storage + start, count: count)
        for offset in text.indices where text[offset] == 10 || text[offset] == 13 { text[offset] = 32 }
    }
}

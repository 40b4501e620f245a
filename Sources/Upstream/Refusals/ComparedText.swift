import Engine

/// A text in the form in which vendors' words and requests are compared: in lower case, with ASCII quotes and marks,
/// single spaces and no escapes.
struct ComparedText {
    /// The longest text that is found as a whole, in bytes.
    static let phraseBytes = 64

    private(set) var bytes: [UInt8] = []
    /// The offset of each byte in the text as it was written, and the length of that text.
    private var offsets: [Int] = []

    init(_ written: [UInt8]) {
        written.withUnsafeBytes { written in
            Self.read(written) { byte, offset in
                bytes.append(byte)
                offsets.append(offset)
            }
        }
        offsets.append(written.count)
    }

    /// Returns a written text in this form, without spaces around it.
    static func bytes(of written: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(written.count)
        read(written) { byte, _ in if byte != 32 || !bytes.isEmpty { bytes.append(byte) } }
        if bytes.last == 32 { bytes.removeLast() }
        return bytes
    }

    /// Returns the place of a part of the text as it was written.
    func written(_ range: Range<Int>) -> Range<Int> { offsets[range.lowerBound]..<offsets[range.upperBound] }

    /// Returns the places, as they were written, of these phrases, where they stand between borders of words.
    func places(of phrases: Set<[UInt8]>) -> [Range<Int>] {
        guard !phrases.isEmpty else { return [] }
        let lengths = Set(phrases.map(\.count))
        let edges = bytes.indices.filter { PhraseMatcher.isEdge($0, of: bytes) } + [bytes.count]
        return edges.enumerated().flatMap { index, start in
            edges[(index + 1)...].prefix { $0 - start <= Self.phraseBytes }
                .filter { lengths.contains($0 - start) && phrases.contains(Array(bytes[start..<$0])) }
                .map { written(start..<$0) }
        }
    }

    /// Calls `append` with each byte of the text in this form, and with its offset in the text as it was written.
    private static func read(_ written: UnsafeRawBufferPointer, _ append: (_ byte: UInt8, _ offset: Int) -> Void) {
        var (offset, start, isBehindSpace) = (0, 0, false)
        func add(_ byte: UInt8) {
            if byte > 32 { append((65...90).contains(byte) ? byte | 32 : byte, start) }
            if byte <= 32, !isBehindSpace { append(32, start) }
            isBehindSpace = byte <= 32
        }
        while offset < written.count {
            let byte = written[offset]
            start = offset
            offset += 1
            if byte >= 0xe2, let mark = mark(in: written, at: start) {
                add(mark)
                offset += 2
            } else if byte != UInt8(ascii: "\\") {
                add(byte)
            } else if case let units = codeUnits(in: written, at: start), !units.isEmpty {
                for byte in String(decoding: units, as: UTF16.self).utf8 { add(byte) }
                offset = start + units.count * escapeBytes
            } else if offset < written.count, written[offset] != UInt8(ascii: "\\") {
                // White space, or a path with a backslash.
                if written[offset].isLetterOrDigit { add(32) }
                if !"nrtbf".utf8.contains(written[offset]) { add(written[offset]) }
                offset += 1
            }
        }
    }

    /// Returns the ASCII mark for a typographic quote or a Chinese mark of three bytes; nil for other characters.
    static func mark(in text: UnsafeRawBufferPointer, at offset: Int) -> UInt8? {
        guard offset + 2 < text.count else { return nil }
        switch (text[offset], text[offset + 1], text[offset + 2]) {
        case (0xe2, 0x80, 0x98...0x9b): return UInt8(ascii: "'")
        case (0xe2, 0x80, 0x9c...0x9d): return UInt8(ascii: "\"")
        case (0xe3, 0x80, 0x81): return UInt8(ascii: ",")
        case (0xe3, 0x80, 0x82): return UInt8(ascii: ".")
        // Wide forms of ASCII characters.
        case (0xef, 0xbc, let last) where 0x81...0xbf ~= last: return last - 0x60
        case (0xef, 0xbd, let last) where 0x80...0x9e ~= last: return last - 0x20
        default: return nil
        }
    }

    /// The length of an escaped code unit: `\u00e9`.
    private static let escapeBytes = 6

    /// Returns the code units of the escapes that follow each other from the offset on.
    private static func codeUnits(in text: UnsafeRawBufferPointer, at offset: Int) -> [UInt16] {
        var units: [UInt16] = []
        var rest = text[offset...]
        while rest.count >= escapeBytes, rest.starts(with: #"\u"#.utf8),
            let unit = UInt16(String(decoding: rest.dropFirst(2).prefix(4), as: UTF8.self), radix: 16)
        {
            units.append(unit)
            rest = rest.dropFirst(escapeBytes)
        }
        return units
    }
}

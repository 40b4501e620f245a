import Engine
import Glibc

/// The words of a vendor's message that are its own, without texts that it repeats of the request.
///
/// Left out are the request's texts of several words up to 64 bytes, parts of longer ones from 24 bytes on, and quotes
/// of several words that the request contains. Letter case, white space and escapes make no difference.
struct OwnWords {
    /// The vendor's own words; empty if not all of the request could be compared.
    let text: String

    /// The byte that stands for what is left out, and is between the texts of a request. No phrase contains it.
    fileprivate static let gap: UInt8 = 1

    init(_ message: String, without request: RefusedRequest) {
        let strings = RequestTexts(request)
        guard strings.isComplete else {
            text = ""
            return
        }
        let said = Self.plain(Array(message.utf8)[...])
        var echo = EchoFinder(said)
        echo.compare(strings.joined)
        var isRepeated = echo.isEcho
        let quotes = Self.quotes(in: said).filter { strings.contains(said[$0].dropFirst()) }
        for range in quotes + Self.phrases(in: said, among: strings.phrases) {
            for offset in range { isRepeated[offset] = true }
        }
        text = String(decoding: said.indices.map { isRepeated[$0] ? Self.gap : said[$0] }, as: UTF8.self)
    }

    // MARK: Repeated texts

    private static let maxQuotes = 64

    /// Returns the ranges from each quotation mark up to the next one of the same kind, which may be a quote.
    private static func quotes(in said: [UInt8]) -> [Range<Int>] {
        said.indices.lazy.filter { "\"'`".utf8.contains(said[$0]) }.prefix(maxQuotes).compactMap { start in
            let inner = said[(start + 1)...]
            var end = inner.firstIndex(of: said[start]) ?? said.count
            // A long text may have been shortened.
            while end > start + 1, said[end - 1] == UInt8(ascii: ".") { end -= 1 }
            // Single words, such as names of fields, mean nothing alone.
            return said[(start + 1)..<max(start + 1, end)].contains(32) ? start..<end : nil
        }
    }

    /// Returns the ranges of the request's short texts of several words.
    private static func phrases(in said: [UInt8], among phrases: Set<[UInt8]>) -> [Range<Int>] {
        guard !phrases.isEmpty else { return [] }
        let lengths = Set(phrases.map(\.count))
        let edges = said.indices.filter { PhraseMatcher.isEdge($0, of: said) } + [said.count]
        var ranges: [Range<Int>] = []
        for (index, start) in edges.enumerated() {
            for end in edges[(index + 1)...].prefix(while: { $0 - start <= RequestTexts.phraseBytes })
            where lengths.contains(end - start) && phrases.contains(Array(said[start..<end])) {
                ranges.append(start..<end)
            }
        }
        return ranges
    }

    // MARK: The common form

    /// Returns a text in the form in which texts are compared: in lower case, with ASCII quotes, single spaces, and
    /// without escapes.
    static func plain(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        func append(_ byte: UInt8) {
            if byte > 32 {
                out.append((65...90).contains(byte) ? byte | 32 : byte)
            } else if out.last != 32 {
                out.append(32)
            }
        }
        var offset = text.startIndex
        while offset < text.endIndex {
            let byte = text[offset]
            offset += 1
            if byte == 0xe2, offset + 1 < text.endIndex, text[offset] == 0x80, (0x98...0x9d).contains(text[offset + 1])
            {
                append(UInt8(ascii: text[offset + 1] < 0x9c ? "'" : "\""))
                offset += 2
            } else if byte != UInt8(ascii: "\\") {
                append(byte)
            } else if offset < text.endIndex {
                switch text[offset] {
                case UInt8(ascii: "\\"): continue
                case UInt8(ascii: "u"):
                    let units = codeUnits(in: text, at: &offset)
                    for byte in String(decoding: units, as: UTF16.self).utf8 { append(byte) }
                case let escaped:
                    append("nrtbf".utf8.contains(escaped) ? 32 : escaped)
                    offset += 1
                }
            }
        }
        return out
    }

    /// Returns the code units of the escapes at the offset, each a `u` and four digits, with a backslash between them.
    private static func codeUnits(in text: ArraySlice<UInt8>, at offset: inout Int) -> [UInt16] {
        var units: [UInt16] = []
        while offset + 4 < text.endIndex, text[offset] == UInt8(ascii: "u"),
            let unit = UInt16(String(decoding: text[(offset + 1)..<(offset + 5)], as: UTF8.self), radix: 16)
        {
            units.append(unit)
            offset += 5
            guard offset + 1 < text.endIndex, text[offset] == UInt8(ascii: "\\"), text[offset + 1] == UInt8(ascii: "u")
            else { return units }
            offset += 1
        }
        // A `u` that begins no escape is a letter.
        if units.isEmpty {
            units.append(UInt16(text[offset]))
            offset += 1
        }
        return units
    }
}

/// The strings that a caller wrote into a request, in the form in which they are compared with a message.
private struct RequestTexts: ~Copyable {
    /// The strings with gaps between them, and a zero byte at the end.
    private(set) var joined: [UInt8] = []
    /// The short strings that have several words.
    private(set) var phrases: Set<[UInt8]> = []
    private(set) var isComplete = true

    /// The longest text that is found as a whole, in bytes.
    static let phraseBytes = 64
    /// The most bytes of a request's strings that are compared.
    private static let limitBytes = 2_097_152

    init(_ request: RefusedRequest) {
        for text in request.others { add(Array(text.utf8)[...]) }
        let bytes = request.body?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
        var offset = 0
        while let start = bytes[part: offset..<bytes.count].first(UInt8(ascii: "\"")), isComplete {
            let end = JSONShape.endOfString(in: bytes, after: offset + start + 1)
            let string = bytes[part: (offset + start + 1)..<max(offset + start + 1, end)]
            offset = min(bytes.count, end + 1)
            // Data without a space, such as an image, repeats no words.
            if string.count > Self.phraseBytes, string.first(32) == nil, string.first(UInt8(ascii: "\\")) == nil {
                continue
            }
            add(Array(string)[...])
        }
        joined.append(0)
    }

    private mutating func add(_ text: ArraySlice<UInt8>) {
        isComplete = isComplete && joined.count + text.count <= Self.limitBytes
        guard isComplete else { return }
        var plain = OwnWords.plain(text)
        if plain.last == 32 { plain.removeLast() }
        if plain.first == 32 { plain.removeFirst() }
        if plain.count <= Self.phraseBytes, plain.contains(32) { phrases.insert(plain) }
        joined += plain
        joined.append(OwnWords.gap)
    }

    /// Returns whether one of the strings contains a text.
    func contains(_ text: ArraySlice<UInt8>) -> Bool {
        // Neither has a zero byte before its end.
        (text + [0]).withUnsafeBytes { text in
            joined.withUnsafeBytes { joined in
                guard let joined = joined.baseAddress, let text = text.baseAddress else { return false }
                return strstr(joined.assumingMemoryBound(to: CChar.self), text.assumingMemoryBound(to: CChar.self))
                    != nil
            }
        }
    }
}

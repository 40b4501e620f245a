import Engine

/// The words of a vendor's message that are the vendor's own: without values of the refused request.
///
/// Left out are texts between quotes, texts behind `input:`, `got` and `value:`, and long repetitions of the request's
/// strings. A name between quotes, such as `'max_tokens'`, can be found with `name` and `quote` only.
struct RefusalWords {
    /// Whether all of the request was compared with the message.
    let isComplete: Bool
    /// The message without quotes.
    let prose: PhraseMatcher
    /// The message with quoted names.
    let named: PhraseMatcher
    /// The message with quoted names, in its own letter case.
    let namedText: [UInt8]
    /// The names, in lower case, that may not mean a field: those of fields that differ in letter case alone, and those
    /// of tools and schemas in a message about one of them.
    let unclear: Set<String>
    /// The complete message.
    private let said: PhraseMatcher

    /// The byte that stands for what is left out. No phrase contains it.
    static let gap: UInt8 = 1
    /// The fewest letters that must be left for the repetitions to count. A message with fewer ones of its own is
    /// itself a part of the prompt.
    private static let minLetters = 8

    /// - Parameter request: the JSON of the refused request, which must be valid.
    init(_ message: String, of request: UnsafeRawBufferPointer) {
        said = PhraseMatcher(message)
        let text = Self.withPlainMarks(Self.withoutTag(message))
        let echo = EchoFinder(text, in: request)
        isComplete = echo.isComplete
        let letters = text.indices.reduce(0) { $0 + (!echo.isEcho[$1] && text[$1].isLetter ? 1 : 0) }
        var isForeign = letters < Self.minLetters ? Array(repeating: false, count: text.count) : echo.isEcho
        Self.markTemplate(in: text, &isForeign)
        Self.markTexts(of: RawJSON(request), in: text, &isForeign)
        var scan = QuoteScan(text, isForeign)
        scan.read(to: text.count)
        namedText = zip(text, scan.isForeign).map { $1 ? Self.gap : $0 }
        let proseText = zip(namedText, scan.isName).map { $1 ? Self.gap : $0 }
        prose = PhraseMatcher(String(decoding: proseText, as: UTF8.self))
        named = PhraseMatcher(String(decoding: namedText, as: UTF8.self))
        unclear = Self.ambiguous(RawJSON(request).members.map(\.name.text))
            .union(Self.namesOfTools(in: RawJSON(request), of: named.clauses))
    }

    /// Returns the message without a status at its beginning, as DashScope writes it: `<400> `.
    private static func withoutTag(_ message: String) -> Substring {
        guard message.first == "<", let end = message.firstIndex(of: ">") else { return message[...] }
        let status = message[..<end].dropFirst()
        return Int(status) == nil ? message[...] : message[message.index(after: end)...]
    }

    /// Returns the names that differ from others in letter case alone, in lower case.
    private static func ambiguous(_ names: [String]) -> Set<String> {
        Set(Dictionary(grouping: Set(names)) { $0.lowercased() }.filter { $0.value.count > 1 }.keys)
    }

    /// Returns the text with ASCII quotes in place of typographic ones, and ASCII punctuation in place of Chinese.
    private static func withPlainMarks(_ text: Substring) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar in
            let bytes = Array(String(scalar).utf8)
            return bytes.withUnsafeBytes { ComparedText.mark(in: $0, at: 0) }.map { [$0] } ?? bytes
        }
    }

    /// Returns whether the vendor's own words contain a phrase in lower case.
    func say(_ phrase: StaticString) -> Bool { prose.say(phrase) }

    func containsAny(of phrases: [StaticString]) -> Bool { prose.containsAny(of: phrases) }

    /// Returns whether the message contains the phrase, part of which may be a quoted name.
    func quote(_ phrase: StaticString) -> Bool { named.say(phrase) }

    func quoteAny(of phrases: [StaticString]) -> Bool { named.containsAny(of: phrases) }

    /// Returns whether the message contains the word, which may be quoted.
    func name(_ word: StaticString) -> Bool { !unclear.contains("\(word)") && named.name(word) }

    /// Returns those of the names that the message has as separate words in the same letter case. Of names that differ
    /// in letter case alone, none counts.
    /// - Parameter all: the names among which none may be ambiguous.
    func exact(_ names: [String], among all: [String]) -> [String] {
        let said = Set(tokens.map(\.text))
        let unclear = Self.ambiguous(all)
        return names.filter { said.contains($0) && !unclear.contains($0.lowercased()) }
    }

    /// Whether the message is about a rule or the form of a schema, so that the server may accept other schemas.
    var areAboutSchema: Bool {
        quoteAny(of: [
            "invalid schema", "invalid json schema", "schema for ", "in context", "anyof", "oneof", "allof",
            "minlength", "maxlength", "minitems", "maxitems", "prefixitems", "nesting", "too complex", "recursi",
            "too many states", "json_schema.schema.",
        ]) || areAboutCompiling || quote("keyword") && !say("keyword argument")
            // Decoders say so of the whole request.
            || quote("properties")
                && !containsAny(of: ["properties are not allowed (", "known properties", "the schema does not allow"])
    }

    /// Whether a server could not compile the schema, so that the same one would be refused again.
    var areAboutCompiling: Bool {
        quoteAny(of: [
            "schema contains", "schema conversion", "unrecognized schema", "regex uses", "understand the instance",
            "parse grammar", "grammar error", "invalid grammar",
        ])
    }

    /// Returns whether the complete message contains the value of a field as a separate word. `true` and `false` may be
    /// said of other fields, so that they count behind the field's name only.
    func repeats(_ value: RawJSON, of field: String) -> Bool {
        let bytes = value.content ?? value.bytes
        guard !value.isObject, !value.isArray, (1...100).contains(bytes.count) else { return false }
        if value.bytes.equals("true") || value.bytes.equals("false") {
            return zip(tokens, tokens.dropFirst()).contains { name, literal in
                FieldName(name.text).names([field]) && literal.text.lowercased() == bytes.text
            }
        }
        return said.name(bytes) || value.isNull && said.name("none")
    }
}

/// A scanner that finds quotes and values in a vendor's message.
private struct QuoteScan {
    private let text: [UInt8]
    /// Whether each byte is not the vendor's.
    private(set) var isForeign: [Bool]
    /// Whether each byte belongs to a quoted name, or to a name in place of a value.
    private(set) var isName: [Bool]
    private var offset = 0

    private static let markers: Set = ["input", "got", "value", "received"]
    private static let maxNameBytes = 64
    /// The words before a quote that is the vendor's: in errors as Python (Pydantic, LiteLLM) writes them, and of LM
    /// Studio.
    private static let messageKeys: [StaticString] = ["'msg': ", "'message': ", "jinja template: "]

    init(_ text: [UInt8], _ isForeign: [Bool]) {
        self.text = text
        self.isForeign = isForeign
        isName = Array(repeating: false, count: text.count)
    }

    mutating func read(to limit: Int) {
        while offset < limit {
            if !isForeign[offset], isOpening(text[offset]) {
                readQuote(text[offset])
            } else if !isForeign[offset], let end = endOfMarker {
                offset = end
                readValue()
            } else {
                offset += 1
            }
        }
    }

    private func isWord(at offset: Int) -> Bool {
        text.indices.contains(offset) && (text[offset].isLetter || text[offset].isDigit)
    }

    /// Returns whether the byte opens a quote. An apostrophe within a word does not.
    private func isOpening(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "`"): true
        case UInt8(ascii: "'"): !isWord(at: offset - 1)
        default: false
        }
    }

    /// Reads a quote. A quote without an end goes on to the end of the message.
    private mutating func readQuote(_ mark: UInt8) {
        let start = offset + 1
        var end = start
        while end < text.count {
            if text[end] == UInt8(ascii: "\\") {
                end += 2
                continue
            }
            // A mark within the request's own text does not end the quote.
            if text[end] == mark, !isForeign[end], mark != UInt8(ascii: "'") || !isWord(at: end + 1) { break }
            end += 1
        }
        end = min(end, text.count)
        let quote = offset..<min(end + 1, text.count)
        let isOfVendor = Self.messageKeys.contains { key in
            text[..<offset].suffix(key.utf8CodeUnitCount).withUnsafeBytes { $0.equals(key) }
        }
        if isOfVendor {
            offset = start
            read(to: end)
            isForeign.mark([quote.prefix(1), end..<quote.upperBound])
        } else if end < text.count, mayBeName(start..<end) {
            isName.mark([quote])
        } else {
            isForeign.mark([quote])
        }
        offset = max(offset, quote.upperBound)
    }

    private func mayBeName(_ range: Range<Int>) -> Bool {
        (1...Self.maxNameBytes).contains(range.count) && !range.contains { isForeign[$0] }
            && text[range].allSatisfy { $0.isLetter || (45...57).contains($0) || "[]_:=".utf8.contains($0) }
    }

    /// The end of the marker at this offset behind which a value of the request is repeated; nil if there is none.
    private var endOfMarker: Int? {
        guard text[offset].isLetter, !isWord(at: offset - 1) else { return nil }
        let letters = text[offset...].indices.prefix { isWord(at: $0) }
        let word = String(decoding: text[letters], as: UTF8.self).lowercased()
        guard Self.markers.contains(word) else { return nil }
        let end = text[letters.upperBound...].firstIndex { $0 != 32 } ?? text.count
        // Python's words for an unknown argument.
        if text[end...].starts(with: "an unexpected keyword argument".utf8) { return nil }
        if end < text.count, ":=".utf8.contains(text[end]) { return end + 1 }
        // `value` and `input` are also words of vendors.
        return word.utf8.count != 5 && end > letters.upperBound ? end : nil
    }

    /// Reads a value behind a marker: a quote, or a word before a punctuation mark. Otherwise leaves out the rest.
    private mutating func readValue() {
        while offset < text.count, text[offset] == 32 { offset += 1 }
        guard offset < text.count, !isOpening(text[offset]), !isForeign[offset] else { return }
        var end = offset
        while end < text.count, !",.;)]} \n".utf8.contains(text[end]) || text[end] == 46 && isWord(at: end + 1) {
            end += 1
        }
        let isAlone = end == text.count || text[end] != 32
        let value = offset..<(isAlone ? end : text.count)
        if isAlone, mayBeName(value) { isName.mark([value]) } else { isForeign.mark([value]) }
        offset = value.upperBound
    }
}

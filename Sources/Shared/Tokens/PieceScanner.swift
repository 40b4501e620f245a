/// A scanner that splits a text into pieces such as words, by OpenAI's patterns in `tiktoken`.
///
/// A byte that is not valid UTF-8 counts as a character without a class.
struct PieceScanner {
    enum Pattern: Sendable { case o200k, cl100k }

    private let classes: CharacterClasses
    private let text: UnsafePointer<UInt8>
    private let end: Int

    init(_ classes: CharacterClasses, _ text: UnsafePointer<UInt8>, count: Int) {
        self.classes = classes
        self.text = text
        end = count
    }

    /// The classes of letters, numbers and spaces. A character without these bits is a symbol.
    private static let named = CharacterClasses.letter | CharacterClasses.number | CharacterClasses.space
    /// The classes of letters, numbers and line ends. A word can begin with one character of none of these classes.
    private static let notBefore = CharacterClasses.letter | CharacterClasses.number | CharacterClasses.newline

    @inline(__always)
    private func character(_ offset: Int) -> (classes: UInt8, bytes: Int) {
        let byte = text[offset]
        if byte < 0x80 { return (classes.ofASCII(byte), 1) }
        return wide(offset, byte)
    }

    private func wide(_ offset: Int, _ lead: UInt8) -> (classes: UInt8, bytes: Int) {
        let left = end - offset
        func tail(_ distance: Int) -> UInt32? {
            let byte = text[offset + distance]
            return byte & 0xc0 == 0x80 ? UInt32(byte & 0x3f) : nil
        }
        switch lead {
        case 0xc2...0xdf:
            guard left >= 2, let one = tail(1) else { break }
            return (classes.of(UInt32(lead & 0x1f) << 6 | one), 2)
        case 0xe0...0xef:
            guard left >= 3, let one = tail(1), let two = tail(2) else { break }
            let point = UInt32(lead & 0x0f) << 12 | one << 6 | two
            guard point >= 0x800, !(0xd800...0xdfff).contains(point) else { break }
            return (classes.of(point), 3)
        case 0xf0...0xf4:
            guard left >= 4, let one = tail(1), let two = tail(2), let three = tail(3) else { break }
            let point = UInt32(lead & 0x07) << 18 | one << 12 | two << 6 | three
            guard (0x1_0000..<0x11_0000).contains(point) else { break }
            return (classes.of(point), 4)
        default: break
        }
        return (0, 1)
    }

    /// Returns the end of the run of characters from `offset` on that have at least one of the class bits `wanted`.
    @inline(__always)
    private func run(_ offset: Int, of wanted: UInt8) -> Int {
        var offset = offset
        while offset < end {
            let next = character(offset)
            if next.classes & wanted == 0 { break }
            offset += next.bytes
        }
        return offset
    }

    /// Returns the end of the piece that begins at `start`. `start` must be before the end of the text.
    @inline(__always)
    func pieceEnd(_ start: Int, _ pattern: Pattern) -> Int {
        switch pattern {
        case .o200k: o200kEnd(start)
        case .cl100k: cl100kEnd(start)
        }
    }

    /// Returns the end of the piece that begins at `start`, by the pattern of the vocabulary o200k_base.
    ///
    /// The first two alternatives of the pattern are `P?U*L+(contraction)?` and `P?U+L*(contraction)?`. U is a
    /// character of the class `upper`, L one of the class `lower`, and P one that may come before letters.
    private func o200kEnd(_ start: Int) -> Int {
        let first = character(start)
        if first.classes & CharacterClasses.number != 0 { return numberEnd(start) }
        let from = first.classes & Self.notBefore == 0 ? start + first.bytes : start
        var offset = from
        // U* matches as much as possible and backtracks until an L follows, which is then the last character that it
        // matched.
        var lastLower = 0
        while offset < end {
            let next = character(offset)
            if next.classes & CharacterClasses.upper == 0 {
                if next.classes & CharacterClasses.lower == 0 { break }
                return contractionEnd(run(offset + next.bytes, of: CharacterClasses.lower))
            }
            offset += next.bytes
            if next.classes & CharacterClasses.lower != 0 { lastLower = offset }
        }
        if lastLower > 0 { return contractionEnd(lastLower) }
        // A mark may be P, but counts as L if no other L follows.
        if from > start, first.classes & CharacterClasses.lower != 0 { return contractionEnd(from) }
        if offset > from { return contractionEnd(offset) }
        if let symbols = symbolsEnd(start, first.classes, andSlashes: true) { return symbols }
        let spaces = spacesEnd(start)
        if spaces.lastNewline > 0 { return spaces.lastNewline }
        return spaces.end == end || spaces.last == start ? spaces.end : spaces.last
    }

    private func cl100kEnd(_ start: Int) -> Int {
        let contraction = contractionEnd(start)
        if contraction > start { return contraction }
        let first = character(start)
        if first.classes & CharacterClasses.number != 0 { return numberEnd(start) }
        let from = first.classes & Self.notBefore == 0 ? start + first.bytes : start
        let letters = run(from, of: CharacterClasses.letter)
        if letters > from { return letters }
        if let symbols = symbolsEnd(start, first.classes, andSlashes: false) { return symbols }
        let spaces = spacesEnd(start)
        if spaces.end == end { return end }
        if spaces.lastNewline > 0 { return spaces.lastNewline }
        return spaces.last == start ? spaces.end : spaces.last
    }

    /// Returns the end of a number piece, which matches `\p{N}{1,3}`.
    private func numberEnd(_ start: Int) -> Int {
        var offset = start
        for _ in 0..<3 where offset < end {
            let next = character(offset)
            if next.classes & CharacterClasses.number == 0 { break }
            offset += next.bytes
        }
        return offset
    }

    /// Returns the end of a piece of symbols (` ?[^\s\p{L}\p{N}]+[\r\n/]*`); nil if there is no match.
    /// - Parameters:
    ///   - first: the classes of the character at `start`.
    ///   - slashes: whether the pattern contains the slash.
    private func symbolsEnd(_ start: Int, _ first: UInt8, andSlashes slashes: Bool) -> Int? {
        var offset = start
        if text[start] == UInt8(ascii: " ") {
            offset += 1
        } else if first & Self.named != 0 {
            return nil
        }
        let from = offset
        while offset < end {
            let next = character(offset)
            if next.classes & Self.named != 0 { break }
            offset += next.bytes
        }
        guard offset > from else { return nil }
        while offset < end {
            let byte = text[offset]
            guard byte == 10 || byte == 13 || (slashes && byte == UInt8(ascii: "/")) else { break }
            offset += 1
        }
        return offset
    }

    /// Returns three offsets in the run of spaces that begins at `start`: its end, its last space, and the end of its
    /// last CR or LF (0 if it has none). The run has at least one space.
    private func spacesEnd(_ start: Int) -> (end: Int, last: Int, lastNewline: Int) {
        var found = (end: start, last: start, lastNewline: 0)
        while found.end < end {
            let next = character(found.end)
            // The first character must be a space because nothing else matched. Even with a damaged table a piece is
            // never empty.
            if next.classes & CharacterClasses.space == 0, found.end > start { break }
            found.last = found.end
            found.end += next.bytes
            if next.classes & CharacterClasses.newline != 0 { found.lastNewline = found.end }
        }
        return found
    }

    /// Returns the end of the English contraction at this offset (`(?i:'s|'t|'re|'ve|'m|'ll|'d)`). Returns the
    /// offset itself if there is none. The letter ſ (long s) counts as s.
    @inline(__always)
    private func contractionEnd(_ offset: Int) -> Int {
        guard offset < end, text[offset] == UInt8(ascii: "'"), offset + 1 < end else { return offset }
        return contraction(offset)
    }

    private func contraction(_ offset: Int) -> Int {
        func lowered(_ letter: Int) -> UInt8 { letter < end ? text[letter] | 0x20 : 0 }
        let second = lowered(offset + 2)
        switch lowered(offset + 1) {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return offset + 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"): return second == UInt8(ascii: "e") ? offset + 3 : offset
        case UInt8(ascii: "l"): return second == UInt8(ascii: "l") ? offset + 3 : offset
        default: break
        }
        let isLongS = offset + 2 < end && text[offset + 1] == 0xc5 && text[offset + 2] == 0xbf
        return isLongS ? offset + 3 : offset
    }

    /// Returns the last offset at which the text can be cut in two, so that later text cannot change the pieces
    /// before it; 0 if there is none.
    func lastCut() -> Int {
        let word = CharacterClasses.letter | CharacterClasses.number
        let joined = word | CharacterClasses.upper | CharacterClasses.lower
        // The last character may itself be incomplete, so it is skipped.
        var after = characterBefore(characterBefore(end))
        while after > 0 {
            let before = characterBefore(after)
            let next = character(after).classes
            if next & joined == 0, text[after] != UInt8(ascii: "'"), character(before).classes & word != 0 {
                return after
            }
            after = before
        }
        return 0
    }

    /// Returns the start of the character that ends at this offset.
    private func characterBefore(_ offset: Int) -> Int {
        var before = max(0, offset - 1)
        let least = max(0, offset - 4)
        while before > least, text[before] & 0xc0 == 0x80 { before -= 1 }
        return before
    }
}

/// One of the vocabularies that OpenAI publishes: counts the tokens of a text, just as `tiktoken` does for ordinary text.
/// The texts of special tokens (`<|endoftext|>`) count as the text that they are.
package final class Vocabulary: Sendable {
    package enum Name: String, Sendable, CaseIterable {
        case o200k = "o200k_base"
        case cl100k = "cl100k_base"
    }

    package let name: Name
    private let table: TokenTable
    private let classes: CharacterClasses

    init(_ name: Name, _ table: TokenTable, _ classes: CharacterClasses) {
        self.name = name
        self.table = table
        self.classes = classes
    }

    /// In time that grows as the text does, whatever is in it. Bytes that are no UTF-8 count somehow.
    package func count(_ text: UnsafeRawBufferPointer) -> Int {
        guard let base = text.baseAddress, text.count > 0 else { return 0 }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        let scanner = PieceScanner(classes, bytes, text.count)
        let merge = PieceMerge(table: table)
        let pattern: PieceScanner.Pattern = name == .o200k ? .o200k : .cl100k
        var total = 0
        var place = 0
        while place < text.count {
            let end = scanner.pieceEnd(place, pattern)
            total += merge.count(bytes + place, end - place)
            place = end
        }
        return total
    }

    /// Longer pieces are counted in parts, where the end of a text is looked for.
    static let longestUnit = 64

    /// The end of the longest beginning of `text` that has at most `limit` tokens, and their number.
    func fitting(_ text: UnsafeRawBufferPointer, upTo limit: Int) -> (end: Int, tokens: Int) {
        guard let base = text.baseAddress else { return (0, 0) }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        let scanner = PieceScanner(classes, bytes, text.count)
        let merge = PieceMerge(table: table)
        var (place, tokens, pieceEnd) = (0, 0, 0)
        while place < text.count {
            if place == pieceEnd { pieceEnd = scanner.pieceEnd(place, name == .o200k ? .o200k : .cl100k) }
            var end = min(pieceEnd, place + Self.longestUnit)
            while end < pieceEnd, end > place + 1, text[end] & 0xc0 == 0x80 { end -= 1 }
            var more = merge.count(bytes + place, end - place)
            guard tokens + more > limit else {
                (place, tokens) = (end, tokens + more)
                continue
            }
            while end > place, tokens + more > limit {
                end -= 1
                while end > place, text[end] & 0xc0 == 0x80 { end -= 1 }
                more = end > place ? merge.count(bytes + place, end - place) : 0
            }
            return (end, tokens + more)
        }
        return (place, tokens)
    }

    /// The bytes of tokens; nil: one of them is none of an ordinary text.
    package func text(of tokens: [Int]) -> [UInt8]? {
        var text: [UInt8] = []
        for token in tokens {
            guard let bytes = table.bytes(ofRank: token) else { return nil }
            text += bytes
        }
        return text
    }

    package func count(_ text: String) -> Int {
        var text = text
        return text.withUTF8 { count(UnsafeRawBufferPointer($0)) }
    }

    /// The end of the last part of `text` that counts by itself, whatever follows; 0 if there is none. No piece of either
    /// pattern goes on from a letter or number to a space or to a sign that is no apostrophe.
    func lastCut(_ text: UnsafeRawBufferPointer) -> Int {
        guard let base = text.baseAddress else { return 0 }
        let scanner = PieceScanner(classes, base.assumingMemoryBound(to: UInt8.self), text.count)
        return scanner.lastCut()
    }

    /// The place of the last character, or of the last byte if that is not a character.
    func lastCharacter(_ text: UnsafeRawBufferPointer) -> Int {
        var place = text.count - 1
        while place > 0, place > text.count - 4, text[place] & 0xc0 == 0x80 { place -= 1 }
        return max(0, place)
    }
}

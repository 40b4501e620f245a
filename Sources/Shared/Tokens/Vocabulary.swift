/// A vocabulary that OpenAI publishes, for counting tokens as `tiktoken` does. A special token such as `<|endoftext|>`
/// counts as ordinary text.
package final class Vocabulary: Sendable {
    package enum Name: String, Sendable, CaseIterable {
        case o200k = "o200k_base"
        case cl100k = "cl100k_base"
    }

    package let name: Name
    private let table: TokenTable
    private let classes: CharacterClasses

    init(_ name: Name, _ table: TokenTable, classes: CharacterClasses) {
        self.name = name
        self.table = table
        self.classes = classes
    }

    /// Returns the number of tokens in a text. The time grows in proportion to the length of the text. Invalid UTF-8
    /// gives an approximate count.
    package func count(_ text: UnsafeRawBufferPointer) -> Int {
        guard let base = text.baseAddress, text.count > 0 else { return 0 }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        let scanner = PieceScanner(classes, bytes, count: text.count)
        let merge = PieceMerge(table: table)
        let pattern: PieceScanner.Pattern = name == .o200k ? .o200k : .cl100k
        var total = 0
        var position = 0
        while position < text.count {
            let end = scanner.pieceEnd(position, pattern)
            total += merge.count(bytes + position, end - position)
            position = end
        }
        return total
    }

    /// The largest number of bytes of a word that `fitting` counts at once. Longer words are counted in parts.
    static let longestUnit = 64

    /// Returns the longest beginning of `text` that has at most `limit` tokens, as its end position and its number of
    /// tokens.
    func fitting(_ text: UnsafeRawBufferPointer, upTo limit: Int) -> (end: Int, tokens: Int) {
        guard let base = text.baseAddress else { return (0, 0) }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        let scanner = PieceScanner(classes, bytes, count: text.count)
        let merge = PieceMerge(table: table)
        var (position, tokens, pieceEnd) = (0, 0, 0)
        while position < text.count {
            if position == pieceEnd { pieceEnd = scanner.pieceEnd(position, name == .o200k ? .o200k : .cl100k) }
            var end = min(pieceEnd, position + Self.longestUnit)
            while end < pieceEnd, end > position + 1, text[end] & 0xc0 == 0x80 { end -= 1 }
            var more = merge.count(bytes + position, end - position)
            guard tokens + more > limit else {
                (position, tokens) = (end, tokens + more)
                continue
            }
            while end > position, tokens + more > limit {
                end -= 1
                while end > position, text[end] & 0xc0 == 0x80 { end -= 1 }
                more = end > position ? merge.count(bytes + position, end - position) : 0
            }
            return (end, tokens + more)
        }
        return (position, tokens)
    }

    /// Returns the bytes that these token ids stand for; nil if one of the ids is not a token of ordinary text.
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

    /// Returns the last position at which `text` can be cut in two. Text that follows never changes the token count
    /// before this position. Returns 0 if there is no such position.
    ///
    /// The character before the position is a letter or a number. The character after the position is a space or a
    /// symbol, but not an apostrophe.
    func lastCut(_ text: UnsafeRawBufferPointer) -> Int {
        guard let base = text.baseAddress else { return 0 }
        let scanner = PieceScanner(classes, base.assumingMemoryBound(to: UInt8.self), count: text.count)
        return scanner.lastCut()
    }

    /// Returns the position at which the last character of `text` begins. For invalid UTF-8, the result can be
    /// another position within the text.
    func lastCharacter(_ text: UnsafeRawBufferPointer) -> Int {
        var position = text.count - 1
        while position > 0, position > text.count - 4, text[position] & 0xc0 == 0x80 { position -= 1 }
        return max(0, position)
    }
}

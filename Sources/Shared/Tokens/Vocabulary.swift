/// One of the vocabularies that OpenAI publishes: counts the tokens of a text, just as `tiktoken` does for ordinary text.
/// The texts of special tokens (`<|endoftext|>`) count as the text that they are.
package struct Vocabulary: Sendable {
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

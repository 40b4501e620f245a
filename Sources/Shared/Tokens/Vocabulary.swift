/// A vocabulary that OpenAI publishes. Special tokens such as `<|endoftext|>` count as ordinary text.
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

    /// Returns the number of tokens in a text. For invalid UTF-8, the number is approximate.
    package func count(_ text: UnsafeRawBufferPointer) -> Int {
        guard let base = text.baseAddress, text.count > 0 else { return 0 }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        let scanner = PieceScanner(classes, bytes, count: text.count)
        let merge = PieceMerge(table: table)
        let pattern: PieceScanner.Pattern = name == .o200k ? .o200k : .cl100k
        var total = 0
        var offset = 0
        while offset < text.count {
            let end = scanner.pieceEnd(offset, pattern)
            total += merge.count(bytes + offset, end - offset)
            offset = end
        }
        return total
    }

    /// The longest word whose tokens `fitting` counts in one step, in bytes. A longer word is counted in parts.
    static let longestUnit = 64

    /// Returns the end and the tokens of the longest beginning of `text` that has at most `limit` tokens.
    func fitting(_ text: UnsafeRawBufferPointer, upTo limit: Int) -> (end: Int, tokens: Int) {
        guard let base = text.baseAddress else { return (0, 0) }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        let scanner = PieceScanner(classes, bytes, count: text.count)
        let merge = PieceMerge(table: table)
        var (offset, tokens, pieceEnd) = (0, 0, 0)
        while offset < text.count {
            if offset == pieceEnd { pieceEnd = scanner.pieceEnd(offset, name == .o200k ? .o200k : .cl100k) }
            var end = min(pieceEnd, offset + Self.longestUnit)
            while end < pieceEnd, end > offset + 1, text[end] & 0xc0 == 0x80 { end -= 1 }
            var more = merge.count(bytes + offset, end - offset)
            guard tokens + more > limit else {
                (offset, tokens) = (end, tokens + more)
                continue
            }
            while end > offset, tokens + more > limit {
                end -= 1
                while end > offset, text[end] & 0xc0 == 0x80 { end -= 1 }
                more = end > offset ? merge.count(bytes + offset, end - offset) : 0
            }
            return (end, tokens + more)
        }
        return (offset, tokens)
    }

    /// Returns the bytes of these token ids; nil if one is not a token of ordinary text.
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

    /// Returns the last offset at which `text` can be cut in two, so that later text cannot change the number of
    /// tokens before it; 0 if there is none.
    func lastCut(_ text: UnsafeRawBufferPointer) -> Int {
        guard let base = text.baseAddress else { return 0 }
        let scanner = PieceScanner(classes, base.assumingMemoryBound(to: UInt8.self), count: text.count)
        return scanner.lastCut()
    }

    /// Returns the start of the last character of `text`. For invalid UTF-8, the result can be another offset in the
    /// text.
    func lastCharacter(_ text: UnsafeRawBufferPointer) -> Int {
        var offset = text.count - 1
        while offset > 0, offset > text.count - 4, text[offset] & 0xc0 == 0x80 { offset -= 1 }
        return max(0, offset)
    }
}

extension Vocabulary.Name {
    /// Finds a model's vocabulary by name, as `tiktoken` does. Returns nil if the vocabulary is unknown
    /// or not in the token file. The name may begin with `openai/`.
    package init?(model: String) {
        var name = Substring(model).utf8
        if name.starts(with: "openai/".utf8) { name = name.dropFirst(7) }
        for (known, vocabulary) in Self.names where name.elementsEqual(known.utf8) {
            self = vocabulary
            return
        }
        // No name that tiktoken maps to an older vocabulary begins with one of these prefixes.
        for (prefix, vocabulary) in Self.prefixes where name.starts(with: prefix.utf8) {
            self = vocabulary
            return
        }
        return nil
    }

    private static let names: [(String, Vocabulary.Name)] = [
        ("o1", .o200k), ("o3", .o200k), ("o4-mini", .o200k), ("gpt-5", .o200k), ("gpt-4.1", .o200k), ("gpt-4o", .o200k),
        ("gpt-4", .cl100k), ("gpt-3.5-turbo", .cl100k), ("gpt-3.5", .cl100k), ("gpt-35-turbo", .cl100k),
        ("davinci-002", .cl100k), ("babbage-002", .cl100k), ("text-embedding-ada-002", .cl100k),
        ("text-embedding-3-small", .cl100k), ("text-embedding-3-large", .cl100k),
    ]

    /// Prefixes of model names with their vocabularies, in the order in which they are tried.
    private static let prefixes: [(String, Vocabulary.Name)] = [
        ("o1-", .o200k), ("o3-", .o200k), ("o4-mini-", .o200k), ("gpt-5", .o200k), ("gpt-4.5-", .o200k),
        ("gpt-4.1-", .o200k), ("chatgpt-4o-", .o200k), ("gpt-4o-", .o200k), ("gpt-4-", .cl100k),
        // gpt-oss has the vocabulary of o200k_base; only its special tokens differ.
        ("gpt-3.5-turbo-", .cl100k), ("gpt-35-turbo-", .cl100k), ("gpt-oss-", .o200k), ("ft:gpt-4o", .o200k),
        ("ft:gpt-4", .cl100k), ("ft:gpt-3.5-turbo", .cl100k), ("ft:davinci-002", .cl100k), ("ft:babbage-002", .cl100k),
    ]
}

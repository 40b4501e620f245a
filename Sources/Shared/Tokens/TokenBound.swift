import Engine

/// A filter that cuts a streamed text after a number of tokens.
///
/// The result does not depend on the division into chunks. Near the limit, the filter holds back incomplete words.
package struct TokenBound: ~Copyable {
    private let counter: TokenCounter
    private let limit: Int
    private var estimate = TokenEstimate()
    private var counted = 0
    /// The last part of the consumed text, whose token count the next bytes may still change.
    private var held = ByteBuffer()
    /// The number of bytes at the beginning of the held text, `held`, that were already passed on.
    private var passed = 0

    private static let maxHeldBytes = 8_192
    /// The number of bytes without a word boundary above which the text is cut inside a word.
    private static let maxUncutBytes = 512

    package init(_ limit: Int, _ counter: TokenCounter) {
        self.limit = limit
        self.counter = counter
    }

    /// The number of tokens in the text that was passed on so far.
    package var tokens: Int {
        guard let vocabulary = counter.vocabulary else { return estimate.tokens }
        return counted + vocabulary.count(held.bytes[part: 0..<passed])
    }

    /// Consumes a chunk, and calls `pass` with the text within the limit. Returns false if the limit is reached.
    /// - Parameter piece: the chunk, which must not begin or end inside a character.
    package mutating func consume(_ piece: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard let vocabulary = counter.vocabulary else { return consumeByEstimate(piece, pass) }
        held.append(piece)
        // A text never has more tokens than bytes.
        if held.count + Vocabulary.longestUnit <= limit - counted {
            pass(held.bytes[part: passed..<held.count])
            passed = held.count
            if held.count > Self.maxHeldBytes { settle(vocabulary.lastCut(held.bytes), vocabulary) }
            return true
        }
        var cut = vocabulary.lastCut(held.bytes)
        if cut == 0, held.count > Self.maxUncutBytes { cut = vocabulary.lastCharacter(held.bytes) }
        return letThrough(cut, vocabulary, pass)
    }

    /// Calls `pass` with the text that was held back, up to the token limit. Returns false if the limit is reached.
    package mutating func finish(_ pass: (UnsafeRawBufferPointer) -> Void) -> Bool {
        guard let vocabulary = counter.vocabulary, passed < held.count else { return true }
        return letThrough(held.count, vocabulary, pass)
    }

    private mutating func letThrough(
        _ cut: Int,
        _ vocabulary: Vocabulary,
        _ pass: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        let fitting = vocabulary.fitting(held.bytes[part: 0..<cut], upTo: limit - counted)
        if fitting.end > passed { pass(held.bytes[part: passed..<fitting.end]) }
        passed = max(passed, fitting.end)
        guard fitting.end == cut else { return false }
        counted += fitting.tokens
        held.removeFirst(cut)
        passed -= cut
        return true
    }

    private mutating func settle(_ cut: Int, _ vocabulary: Vocabulary) {
        counted += vocabulary.count(held.bytes[part: 0..<cut])
        held.removeFirst(cut)
        passed -= cut
    }

    private mutating func consumeByEstimate(
        _ piece: UnsafeRawBufferPointer,
        _ pass: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        let fitting = estimate.add(piece, upTo: limit)
        if fitting > 0 { pass(piece[part: 0..<fitting]) }
        return fitting == piece.count
    }
}

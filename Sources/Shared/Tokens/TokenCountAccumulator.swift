package import Engine

/// A counter of the tokens in a streamed text. The result does not depend on the division into chunks.
///
/// A word of 64 KB or more is counted in parts, which can add some tokens.
package struct TokenCountAccumulator: ~Copyable {
    package let counter: TokenCounter
    private var estimate = TokenEstimate()
    private var counted = 0
    /// The last bytes of the added text, which are not counted yet.
    private var held = ByteBuffer()
    /// The number of uncounted bytes at which `add` counts tokens. If such a text cannot be cut, the number grows, up
    /// to 64 KB.
    private var fullBytes = stepBytes
    /// The number of bytes added since the start, or since the last call of `removeUncounted`.
    private var newBytes = 0

    private static let stepBytes = 8_192
    private static let maxBytes = 65_536
    /// The number of added bytes up to which `add` counts the tokens itself. More text should be counted on another
    /// thread.
    package static let atOnceBytes = 262_144

    package init(_ counter: TokenCounter) { self.counter = counter }

    package mutating func add(_ piece: UnsafeRawBufferPointer) {
        guard counter.isExact else { return estimate.add(piece) }
        held.append(piece)
        newBytes += piece.count
        if held.count >= fullBytes, newBytes <= Self.atOnceBytes { count() }
    }

    private mutating func count() {
        guard let vocabulary = counter.vocabulary else { return }
        var start = 0
        while held.count - start >= fullBytes {
            let part = held.bytes[part: start..<(start + fullBytes)]
            var cut = vocabulary.lastCut(part)
            if cut == 0, fullBytes >= Self.maxBytes { cut = vocabulary.lastCharacter(part) }
            guard cut > 0 else {
                fullBytes = min(2 * fullBytes, Self.maxBytes)
                continue
            }
            counted += vocabulary.count(part[part: 0..<cut])
            start += cut
            fullBytes = max(Self.stepBytes, min(2 * (part.count - cut), Self.maxBytes))
        }
        held.removeFirst(start)
    }

    /// The number of tokens in all added text.
    package var tokens: Int {
        guard let vocabulary = counter.vocabulary else { return estimate.tokens }
        return counted + vocabulary.count(held.bytes)
    }

    // MARK: Counting on another thread

    /// Whether so much text was added that another thread should count it. If so, call `removeUncounted`, count the
    /// text on the other thread, and then call `putBack`.
    package var isBehind: Bool { newBytes > Self.atOnceBytes }

    /// Removes the uncounted text and returns it, for `counted(_:by:)` on another thread.
    package mutating func removeUncounted() -> Body {
        newBytes = 0
        fullBytes = Self.stepBytes
        var taken = ByteBuffer()
        swap(&taken, &held)
        return Body(taken)
    }

    /// Counts the tokens of a text, without its last bytes if later text can change their tokens. Returns the number of
    /// tokens and of counted bytes; nil if the model's vocabulary is not available.
    package static func counted(_ text: Body, by counter: TokenCounter) -> (tokens: Int, bytes: Int)? {
        guard let vocabulary = counter.vocabulary else { return nil }
        var cut = vocabulary.lastCut(text.bytes)
        if text.bytes.count - cut > maxBytes { cut = vocabulary.lastCharacter(text.bytes) }
        return (vocabulary.count(text.bytes[part: 0..<cut]), cut)
    }

    /// Adds the number of tokens that another thread counted in a text from `removeUncounted`.
    /// - Parameter result: the counted tokens and bytes; nil to estimate the tokens of the text.
    package mutating func putBack(_ text: Body, _ result: (tokens: Int, bytes: Int)?) {
        guard let result else {
            var guess = TokenEstimate()
            guess.add(text.bytes)
            counted += guess.tokens
            return
        }
        counted += result.tokens
        held.append(text.bytes[part: result.bytes..<text.bytes.count])
    }
}

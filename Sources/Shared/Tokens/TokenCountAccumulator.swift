package import Engine

/// Counts the tokens of a streamed text. The result does not depend on how the text is cut into pieces. Only 64 KB
/// without a position for a cut (a single word of that length) are cut anyway, which may add some tokens.
///
/// Counting starts after 8 KB, so a short text whose count is never needed costs only its copy.
package struct TokenCountAccumulator: ~Copyable {
    package let counter: TokenCounter
    private var estimate = TokenEstimate()
    private var counted = 0
    /// The last part of the text, whose count may still change with the next bytes.
    private var held = ByteBuffer()
    /// The number of bytes at which a cut is searched. It is doubled if none is found, so that nothing is read many
    /// times.
    private var fullBytes = stepBytes
    /// The number of bytes added since the text was taken out, or since the start.
    private var newBytes = 0

    private static let stepBytes = 8_192
    private static let maxBytes = 65_536
    /// The number of new bytes above which text is only counted after `removeUncounted`.
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

    /// The number of tokens of everything that was added.
    package var tokens: Int {
        guard let vocabulary = counter.vocabulary else { return estimate.tokens }
        return counted + vocabulary.count(held.bytes)
    }

    // MARK: Counting on another thread

    /// Whether so much text was added that `removeUncounted` and `putBack` should be called before more is added.
    package var isBehind: Bool { newBytes > Self.atOnceBytes }

    /// Removes the text that is not counted yet and returns it, for `counted(_:by:)` on another thread.
    package mutating func removeUncounted() -> Body {
        newBytes = 0
        fullBytes = Self.stepBytes
        var taken = ByteBuffer()
        swap(&taken, &held)
        return Body(taken)
    }

    /// Returns the number of tokens of the beginning of `text`, and its length in bytes; nil if there is no vocabulary.
    package static func counted(_ text: Body, by counter: TokenCounter) -> (tokens: Int, bytes: Int)? {
        guard let vocabulary = counter.vocabulary else { return nil }
        var cut = vocabulary.lastCut(text.bytes)
        if text.bytes.count - cut > maxBytes { cut = vocabulary.lastCharacter(text.bytes) }
        return (vocabulary.count(text.bytes[part: 0..<cut]), cut)
    }

    /// Puts back a text that `removeUncounted` returned. `result` is that of `counted`; nil: no thread had time, so the text is
    /// estimated.
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

package import Engine

/// The tokens of a text that comes in pieces; the same however it is cut. A text without a place to cut at for 64 KB (a
/// single word of that length) is cut all the same, and may count some tokens more.
///
/// Nothing is counted before 8 KB have come, so a short text whose tokens nobody asks for costs no more than its copy.
package struct TokenTally: ~Copyable {
    package let counter: TokenCounter
    private var estimate = TokenEstimate()
    private var counted = 0
    /// The end of the text, whose count may still change with the next bytes.
    private var held = ByteBuffer()
    /// From here on a cut is looked for; doubled where none is found, so that nothing is read often.
    private var fullBytes = stepBytes
    /// Bytes that came since the text was taken out, or began.
    private var newBytes = 0

    private static let stepBytes = 8_192
    private static let mostBytes = 65_536
    /// Text beyond this is not counted before it was taken out.
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
            if cut == 0, fullBytes >= Self.mostBytes { cut = vocabulary.lastCharacter(part) }
            guard cut > 0 else {
                fullBytes = min(2 * fullBytes, Self.mostBytes)
                continue
            }
            counted += vocabulary.count(part[part: 0..<cut])
            start += cut
            fullBytes = max(Self.stepBytes, min(2 * (part.count - cut), Self.mostBytes))
        }
        held.removeFirst(start)
    }

    /// Of all that was added.
    package var tokens: Int {
        guard let vocabulary = counter.vocabulary else { return estimate.tokens }
        return counted + vocabulary.count(held.bytes)
    }

    // MARK: Counting elsewhere

    /// Much has come: `takeOut` and `putBack` should be called before more is added.
    package var isBehind: Bool { newBytes > Self.atOnceBytes }

    /// The text that is not counted, for `counted(_:by:)` on some thread.
    package mutating func takeOut() -> Body {
        newBytes = 0
        fullBytes = Self.stepBytes
        var taken = ByteBuffer()
        swap(&taken, &held)
        return Body(taken)
    }

    /// Tokens of the beginning of `text`, and its length.
    package static func counted(_ text: Body, by counter: TokenCounter) -> (tokens: Int, bytes: Int)? {
        guard let vocabulary = counter.vocabulary else { return nil }
        var cut = vocabulary.lastCut(text.bytes)
        if text.bytes.count - cut > mostBytes { cut = vocabulary.lastCharacter(text.bytes) }
        return (vocabulary.count(text.bytes[part: 0..<cut]), cut)
    }

    /// `result`: of `counted`; nil: nobody had the time, so it is estimated.
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

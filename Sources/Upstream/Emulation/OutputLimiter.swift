package import Engine
package import Shared

/// A limiter that ends a text before the first stop sequence, or after a number of tokens.
package struct OutputLimiter: ~Copyable {
    private var finder: StopFinder
    /// The last bytes of the text, held because they could begin a stop sequence.
    private var held = ByteBuffer()
    private var bound: TokenBound
    /// The reason why the text was ended; nil while the limiter accepts more text.
    package private(set) var reason: FinishReason?
    /// The stop sequence that ended the text; empty if no stop sequence ended the text.
    package private(set) var stop = ByteBuffer()

    package init(stops: StopFinder, maxTokens: Int?, _ counter: TokenCounter = .estimating) {
        finder = stops
        // Without a limit the tokens need no exact count.
        bound = TokenBound(maxTokens ?? .max / 8, maxTokens == nil ? .estimating : counter)
    }

    /// The number of tokens in the text that the limiter has passed on so far.
    package var tokens: Int { bound.tokens }

    /// Consumes a chunk of whole characters. Passes on the text that cannot belong to a stop sequence.
    package mutating func consume(_ piece: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        guard reason == nil else { return }
        if finder.isEmpty { return self.pass(piece, pass) }
        let start = held.count
        held.append(piece)
        for index in 0..<piece.count {
            let found = finder.consume(piece[index])
            guard found > 0 else { continue }
            let end = start + index + 1
            self.pass(held.bytes[part: 0..<(end - found)], pass)
            stop.append(held.bytes[part: (end - found)..<end])
            held.removeAll()
            self.end(pass)
            if reason == nil { reason = .stop } else { stop.removeAll() }
            return
        }
        let free = held.count - finder.heldBytes
        self.pass(held.bytes[part: 0..<free], pass)
        held.removeFirst(free)
    }

    /// Ends the text and passes on the held bytes.
    package mutating func finish(_ pass: (UnsafeRawBufferPointer) -> Void) {
        guard reason == nil else { return }
        self.pass(held.bytes, pass)
        held.removeAll()
        end(pass)
    }

    private mutating func pass(_ text: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        guard !text.isEmpty else { return }
        if !bound.consume(text, pass) { reason = .length }
    }

    /// Passes on the text that the token counter `bound` has held back.
    private mutating func end(_ pass: (UnsafeRawBufferPointer) -> Void) {
        if reason == nil, !bound.finish(pass) { reason = .length }
    }
}

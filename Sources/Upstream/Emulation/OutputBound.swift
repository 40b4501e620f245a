package import Calls
package import Engine
package import Shared

/// Ends a text before the first of some sequences, or after a number of tokens, in whatever pieces it comes. First is
/// the sequence whose end comes first; of several that end there, the longest.
package struct OutputBound: ~Copyable {
    private var finder: StopFinder
    /// The end of the text, which could become a sequence.
    private var held = ByteBuffer()
    private var bound: TokenBound
    /// Why the text was ended; no more is wanted then.
    package private(set) var reason: FinishReason?
    /// The sequence that ended the text; empty: none did.
    package private(set) var stop = ByteBuffer()

    package init(stops: StopFinder, maxTokens: Int?, _ counter: TokenCounter = .estimating) {
        finder = stops
        // Without a bound nothing need be counted.
        bound = TokenBound(maxTokens ?? .max / 8, maxTokens == nil ? .estimating : counter)
    }

    /// Of what was let through.
    package var tokens: Int { bound.tokens }

    /// `piece` and what it lets through are whole characters.
    package mutating func take(_ piece: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        guard reason == nil else { return }
        if finder.isEmpty { return self.pass(piece, pass) }
        let start = held.count
        held.append(piece)
        for index in 0..<piece.count {
            let found = finder.take(piece[index])
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

    /// The text is over: what looked like a beginning of a sequence was none.
    package mutating func finish(_ pass: (UnsafeRawBufferPointer) -> Void) {
        guard reason == nil else { return }
        self.pass(held.bytes, pass)
        held.removeAll()
        end(pass)
    }

    private mutating func pass(_ text: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        guard !text.isEmpty else { return }
        if !bound.take(text, pass) { reason = .length }
    }

    /// No more text comes.
    private mutating func end(_ pass: (UnsafeRawBufferPointer) -> Void) {
        if reason == nil, !bound.finish(pass) { reason = .length }
    }
}

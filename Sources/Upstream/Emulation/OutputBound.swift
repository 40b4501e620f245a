package import Calls
package import Engine
import Shared

/// Ends a text before the first of some sequences, or after a number of tokens, in whatever pieces it comes. First is
/// the sequence whose end comes first; of several that end there, the longest.
package struct OutputBound: ~Copyable {
    private var finder: StopFinder
    private let maxTokens: Int
    /// The end of the text, which could become a sequence.
    private var held = ByteBuffer()
    private var estimate = TokenEstimate()
    /// Why the text was ended; no more is wanted then.
    package private(set) var reason: FinishReason?
    /// The sequence that ended the text; empty: none did.
    package private(set) var stop = ByteBuffer()

    package init(stops: StopFinder, maxTokens: Int?) {
        finder = stops
        self.maxTokens = maxTokens ?? .max / 8
    }

    /// Of what was let through.
    package var tokens: Int { estimate.tokens }

    /// `piece` and what it lets through are whole characters.
    package mutating func take(_ piece: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        guard reason == nil else { return }
        if finder.isEmpty { return bound(piece, pass) }
        let start = held.count
        held.append(piece)
        for index in 0..<piece.count {
            let found = finder.take(piece[index])
            guard found > 0 else { continue }
            let end = start + index + 1
            bound(held.bytes[part: 0..<(end - found)], pass)
            if reason == nil {
                stop.append(held.bytes[part: (end - found)..<end])
                reason = .stop
            }
            held.removeAll()
            return
        }
        let free = held.count - finder.heldBytes
        bound(held.bytes[part: 0..<free], pass)
        held.removeFirst(free)
    }

    /// The text is over: what looked like a beginning of a sequence was none.
    package mutating func finish(_ pass: (UnsafeRawBufferPointer) -> Void) {
        guard reason == nil else { return }
        bound(held.bytes, pass)
        held.removeAll()
    }

    private mutating func bound(_ text: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        guard !text.isEmpty else { return }
        let fitting = estimate.add(text, upTo: maxTokens)
        if fitting > 0 { pass(text[part: 0..<fitting]) }
        if fitting < text.count { reason = .length }
    }
}

import Engine
import Shared

/// Ends a text before the first of some sequences, or after so many tokens, however it is cut into pieces.
package struct OutputBound: ~Copyable {
    package enum Reason: Sendable { case stop, length }

    private let stops: [[UInt8]]
    private let maxTokens: Int
    private var held = ByteBuffer()
    private var estimate = TokenEstimate()
    /// Why the text was ended; no more is wanted then.
    package private(set) var reason: Reason?

    package init(stops: [String], maxTokens: Int?) {
        self.stops = stops.map { Array($0.utf8) }
        self.maxTokens = maxTokens ?? .max / 8
    }

    /// Of what was let through.
    package var tokens: Int { estimate.tokens }

    /// `piece` and what it lets through are whole characters.
    package mutating func take(_ piece: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        guard reason == nil else { return }
        if stops.isEmpty { return bound(piece, pass) }
        held.append(piece)
        if let start = startOfFirstStop() {
            bound(held.bytes[part: 0..<start], pass)
            held.removeAll()
            reason = reason ?? .stop
        } else {
            let free = held.count - possibleStart()
            bound(held.bytes[part: 0..<free], pass)
            held.removeFirst(free)
        }
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

    /// Of the sequence whose end comes first; of several that end there, the longest.
    private func startOfFirstStop() -> Int? {
        var found: (end: Int, start: Int)?
        for stop in stops {
            guard let start = held.bytes.firstRange(of: stop) else { continue }
            let end = start + stop.count
            if let best = found, (best.end, best.start) <= (end, start) { continue }
            found = (end, start)
        }
        return found?.start
    }

    /// How many bytes at the end could become a sequence.
    private func possibleStart() -> Int {
        var longest = 0
        let bytes = held.bytes
        for stop in stops {
            var length = min(stop.count - 1, bytes.count)
            while length > longest {
                if bytes[(bytes.count - length)...].elementsEqual(stop[..<length]) { longest = length }
                length -= 1
            }
        }
        return longest
    }
}

extension UnsafeRawBufferPointer {
    /// Where `pattern`, which is not empty, begins first.
    fileprivate func firstRange(of pattern: [UInt8]) -> Int? {
        var from = 0
        while from + pattern.count <= count {
            guard let next = self[part: from..<count].first(pattern[0]), from + next + pattern.count <= count else {
                return nil
            }
            from += next
            if self[from..<(from + pattern.count)].elementsEqual(pattern) { return from }
            from += 1
        }
        return nil
    }
}

import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct OutputLimiterTests {
    private struct LimitedOutput: Equatable {
        var text = ""
        var reason: FinishReason?
        var tokens = 0
    }

    private func bounded(_ pieces: [String], _ stops: [String], _ maxTokens: Int?) -> LimitedOutput {
        var bound = OutputLimiter(stops: StopFinder(stops), maxTokens: maxTokens)
        var out: [UInt8] = []
        var isCut = false
        func pass(_ bytes: UnsafeRawBufferPointer) {
            if String(validating: bytes, as: UTF8.self) == nil { isCut = true }
            out += bytes
        }
        for piece in pieces { withBytes(piece) { bound.consume($0, pass) } }
        bound.finish(pass)
        if isCut { Issue.record("a character was split: \(pieces), \(stops)") }
        return LimitedOutput(text: String(decoding: out, as: UTF8.self), reason: bound.reason, tokens: bound.tokens)
    }

    /// Returns the text before the stop sequence whose end comes first, the longest one if several end there; nil if
    /// there is none.
    private func model(_ text: String, _ stops: [String]) -> String? {
        let bytes = Array(text.utf8)
        for end in 0...bytes.count {
            let matching = stops.map { Array($0.utf8) }.filter { bytes[..<end].suffix($0.count).elementsEqual($0) }
            guard let longest = matching.map(\.count).max() else { continue }
            return String(decoding: bytes[..<(end - longest)], as: UTF8.self)
        }
        return nil
    }

    @Test("streamed is as whole, whatever the pieces, and as described", arguments: 0..<20 as Range<UInt64>)
    func piecesDoNotMatter(seed: UInt64) {
        var random = Seeded(seed)
        let alphabet = ["a", "b", "ab", "\u{e4}", "\u{4e2d}", "\u{1f310}", "\n"]
        for _ in 0..<100 {
            let text = (0..<random.below(40)).map { _ in random.pick(alphabet) }.joined()
            let stops = (0..<random.below(5)).map { _ in
                (0..<(1 + random.below(4))).map { _ in random.pick(alphabet) }.joined()
            }
            let maxTokens = random.below(2) == 0 ? nil : 1 + random.below(20)
            let whole = bounded([text], stops, maxTokens)
            for most in [1, 2, 5] {
                let pieces = text.cut(most: most) { random.below($0) }
                #expect(
                    bounded(pieces, stops, maxTokens) == whole,
                    "\(pieces) \(stops) \(String(describing: maxTokens))"
                )
            }
            let stopped = model(text, stops)
            if whole.reason == .length {
                #expect((stopped ?? text).hasBytePrefix(whole.text) && whole.text != (stopped ?? text))
                #expect(whole.tokens <= maxTokens ?? 0)
            } else {
                #expect(whole.text == stopped ?? text)
                #expect(whole.reason == (stopped == nil ? nil : .stop))
            }
        }
    }

    @Test("a sequence across pieces is found, and nothing of it is passed on")
    func acrossPieces() {
        let stop = "<|end|>"
        for cut in 1..<stop.count {
            let pieces = ["text" + String(stop.prefix(cut)), String(stop.dropFirst(cut)) + "more"]
            #expect(bounded(pieces, [stop], nil) == LimitedOutput(text: "text", reason: .stop, tokens: 1))
            #expect(bounded(["text" + String(stop.prefix(cut))], [stop], nil).text == "text" + String(stop.prefix(cut)))
        }
    }

    @Test("what could not become a sequence is passed on at once")
    func holdsLittle() {
        var bound = OutputLimiter(stops: StopFinder(["xyz"]), maxTokens: nil)
        var out = ""
        for piece in ["ab", "x", "y", "a", "x"] {
            withBytes(piece) { bound.consume($0) { out += $0.text } }
            out += "|"
        }
        #expect(out == "ab||" + "|xya||")
    }

    @Test("after its end nothing more passes", arguments: [["a"], []])
    func isOver(_ stops: [String]) {
        let bounded = bounded(["bbbba", "cccccccc", "a"], stops, 1)
        #expect(bounded.text == "bbbb" && bounded.reason == (stops.isEmpty ? .length : .stop))
    }

    @Test("just so many tokens are no cut", arguments: [("aaaa", nil), ("aaaab", FinishReason.length)])
    func boundary(_ text: String, _ reason: FinishReason?) {
        #expect(bounded([text], [], 1) == LimitedOutput(text: "aaaa", reason: reason, tokens: 1))
        #expect(bounded(text.map { String($0) }, [], 1) == LimitedOutput(text: "aaaa", reason: reason, tokens: 1))
    }
}

extension String {
    fileprivate func hasBytePrefix(_ other: String) -> Bool { utf8.starts(with: other.utf8) }
}

import Engine
import Support
import Testing

@testable import Upstream

@Suite struct SurrogatePairJoinerTests {
    private func rewritten(_ events: [String]) -> [String?] {
        var pairs = SurrogatePairJoiner()
        var texts: [String?] = []
        for event in events {
            let data = ByteBuffer(event)
            texts.append(pairs.rewritten(data.bytes).map(\.text))
        }
        return texts
    }

    @Test("halves are joined, or are no characters")
    func halves() {
        #expect(rewritten([#"{"a":"x\ud83d"}"#, #"{"a":"\uDE00y"}"#]) == [#"{"a":"x"}"#, #"{"a":"\ud83d\uDE00y"}"#])
        #expect(rewritten([#"{"a":"x\ud83dy\ude00z"}"#]) == [#"{"a":"x\ufffdy\ufffdz"}"#])
        #expect(rewritten([#"{"a":"\ude00"}"#]) == [#"{"a":"\ufffd"}"#])
        #expect(rewritten([#"{"a":"\ud83d\ud83d\ude00"}"#]) == [#"{"a":"\ufffd\ud83d\ude00"}"#])
    }

    @Test("all else is left alone")
    func others() {
        for event in [#"{"a":"\ud83d\ude00 \u00e4 \\ud83d"}"#, #"{"a":"\\\\ud83d"#, "\\", "\\u", "\\ud8", "", "{oops"] {
            #expect(rewritten([event]) == [nil], "\(event)")
        }
    }

    @Test("no bytes are too odd")
    func hostile() {
        let pieces = ["\\", "u", "d83d", "de00", "\"", "\\ud83d", "\\ude00", "x", "\\\\", "D8"]
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let events = (0..<3)
                .map { _ in
                    (0..<Int.random(in: 0...6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
                        .joined()
                }
            _ = rewritten(events)
        }
    }
}
